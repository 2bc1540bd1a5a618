"""How a step that works for many side by side says what came of it: some may fail, all may not.

Here belong the log message and the failure. Events, and the lines of each message, are for the steps.
"""

from collections.abc import Mapping

from dagster import AssetExecutionContext, Failure, MetadataValue


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
