"""How a step that works for many side by side says what came of it: some may fail, all may not.

Here belong the form of the log message and the failure. Events, and what the lines say, are for the steps.
"""

from collections.abc import Iterable, Mapping, Sequence

from dagster import AssetExecutionContext, Failure, MetadataValue

_WIDTH = 240


def table_text(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table for a log message: a line each, long cells broken."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*names, box=None)
    for row in rows:
        table.add_row(*row)
    console = Console(width=_WIDTH, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def tell_outcome(
    context: AssetExecutionContext,
    done: str,
    lines: str,
    *,
    count: int,
    failed: Mapping[str, str],
    if_none: str,
    again: bool,
    warn: bool = False,
) -> None:
    """Log how many of `count` are done and then the lines: as a warning if one failed or `warn` says so.

    Args:
        context: of the step.
        done: what was done to what, as in "markets fetched".
        lines: what there is to say of each.
        count: of how many.
        failed: reasons by name.
        if_none: what to say when all failed.
        again: whether Dagster may then try the step again by itself.
        warn: also without a failure.

    Raises:
        Failure: all failed.
    """
    log = context.log.warning if failed or warn else context.log.info
    log(f"{count - len(failed)} of {count} {done}\n{lines}")
    if failed and len(failed) == count:
        raise Failure(
            if_none,
            metadata={name: MetadataValue.text(reason) for name, reason in failed.items()},
            allow_retries=again,
        )
