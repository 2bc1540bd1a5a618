"""The `vp site` command."""

import click

from vp_pipeline.catalog import CatalogError
from vp_pipeline.settings import SettingsError, load_settings
from vp_pipeline.site.server import ListenError, run

PORT = click.IntRange(0, 65535)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
def site(host: str, port: int) -> None:
    """Serve the website.

    It answers under the host of VP_SITE_URL, 127.0.0.1 and localhost, and refuses other names.
    """
    try:
        run(load_settings(), host, port)
    except (CatalogError, ListenError, SettingsError) as error:
        raise click.ClickException(str(error)) from error
