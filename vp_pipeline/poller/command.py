"""The `vp poll` command."""

import asyncio
import logging
import signal

import click

from vp_pipeline.catalog import CatalogError
from vp_pipeline.settings import Settings, SettingsError, load_settings

LOG = logging.getLogger(__name__)


@click.command()
def poll() -> None:
    """Keep the last minutes of the lead markets fresh between ticks, until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.captureWarnings(True)
    try:
        settings = load_settings()
        idle = why_not(settings)
        if idle is None:
            from vp_pipeline.poller.service import serve

            asyncio.run(serve(settings))
            return
    except (CatalogError, SettingsError) as error:
        raise click.ClickException(str(error)) from error
    # A supervisor would start again what ends. Waited for like this they count even where whoever started it
    # ignores them, as a shell does for what it starts in the background.
    told = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, told)
    LOG.info("nothing to do: %s", idle)
    signal.sigwait(told)
    LOG.info("stopped")


def why_not(settings: Settings) -> str | None:
    """Why there is nothing to poll; None if there is."""
    if settings.source == "replay":
        return "a recording does not go on"
    if settings.poll_seconds == 0:
        return "VP_POLL_SECONDS is 0"
    return None if settings.catalog.instruments else "the markets file has no instrument"
