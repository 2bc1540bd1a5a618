"""`vp doctor`.

Here belongs the order of the checks and how they are printed; what is looked at is in `checkup`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import click
import psycopg
from rich.console import Console
from rich.text import Text

from vp_pipeline.catalog import Catalog
from vp_pipeline.operations import checkup
from vp_pipeline.operations.checkup import Check
from vp_pipeline.operations.errors import told_plainly
from vp_pipeline.operations.place import PlaceError, PlaceSettings, address, source
from vp_pipeline.settings import LABELS, Source
from vp_pipeline.storage.connection import transaction


@click.command()
def doctor() -> None:
    """Check configuration, disk, database, clock and every exchange; exit with 1 if anything is wrong."""
    console = Console(highlight=False)
    wrong = 0
    with told_plainly():
        for check in _checks(PlaceSettings()):
            line = Text.assemble(
                ("ok    ", "green") if check.ok else ("WRONG ", "bold red"), f"{check.name}: {check.found}"
            )
            if not check.ok:
                line.append(f" -> {check.remedy}", "yellow")
            console.print(line, soft_wrap=True)
            wrong += not check.ok
    if wrong:
        console.print(f"{wrong} wrong" if wrong > 1 else "1 thing wrong")
        raise click.exceptions.Exit(1)


def _checks(settings: PlaceSettings) -> Iterator[Check]:
    configured, catalog = checkup.configuration(settings)
    yield configured
    yield checkup.disk(settings.folder)
    held: Source = settings.source or "live"
    try:
        with address(settings) as url, transaction(url) as connection:
            yield from checkup.database(connection)
            held = source(connection, settings)
    except (PlaceError, psycopg.Error) as error:
        yield Check(
            "database", " ".join(str(error).split()), "mend that first; the database was not looked at"
        )
    yield checkup.live_hours(settings.hourly_start, datetime.now(UTC))
    if catalog is not None:
        yield from _exchanges(settings, catalog, held)


def _exchanges(settings: PlaceSettings, catalog: Catalog, held: Source) -> Iterator[Check]:
    """Clock and exchanges. Of simulated or recorded data the live exchanges are no part."""
    if held != "live" and settings.exchange_url is None:
        label = LABELS[held]
        yield Check(
            "exchanges", f"not asked: this installation holds {label}; VP_EXCHANGE_URL names no sandbox"
        )
        return
    from vp_pipeline.operations import checkup_exchanges

    answers = checkup_exchanges.ask(catalog, settings.host_of, catalog.time_of(datetime.now(UTC)))
    if held == "replay":
        yield Check("clock", "not compared: a recording has a time of its own")
    else:
        yield checkup.clock(checkup_exchanges.skew(answers), checkup_exchanges.MOST_SKEW)
    for answer in answers:
        yield answer.check
