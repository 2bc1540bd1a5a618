"""The `vp worker` command.

Here belongs starting one Celery worker, as a machine of a cluster has it.
"""

import os
import secrets
import socket

import click

from vp_pipeline.catalog import CatalogError
from vp_pipeline.settings import SettingsError, load_settings


@click.command()
@click.option(
    "--processes",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Months that are loaded at once.",
)
def worker(processes: int) -> None:
    """Load months of history that a platform on another machine hands out.

    It needs that platform's VP_BROKER_URL, VP_DATABASE_URL, VP_DAGSTER_DATABASE_URL and markets file. Told to
    stop, it stops at once: another worker goes on from what is stored.
    """
    try:
        settings = load_settings()
    except (CatalogError, SettingsError) as error:
        raise click.ClickException(str(error)) from error
    if settings.broker is None:
        raise click.ClickException("VP_BROKER_URL: not set: the Redis from which a worker has its work")
    if settings.dagster_database_url is None:
        raise click.ClickException(
            "VP_DAGSTER_DATABASE_URL: not set: where the platform's Dagster has its records"
        )
    # Before Celery is imported. Otherwise SIGTERM would wait for the end of the month that is being loaded.
    os.environ["REMAP_SIGTERM"] = "SIGQUIT"
    from vp_pipeline.cluster.app import QUEUE, celery_app

    # Its own on any machine: by it a run asks for its step.
    name = f"vp-{secrets.token_hex(4)}@{socket.gethostname()}"
    options = ["--pool=prefork", f"--concurrency={processes}", f"--hostname={name}", f"--queues={QUEUE}"]
    quiet = ["--without-gossip", "--without-mingle", "--loglevel=INFO"]
    celery_app(settings.broker).worker_main(["worker", *options, *quiet])
