"""What came of a backfill: a table of its markets, and the reasons of what could not be had.

Here belongs adding up what the runs' events tell; the numbers are those of the ledger at the end of each run.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

Key = tuple[str, ...]
_COUNTS = ("rows", "new", "revised", "exchange_empty", "unfetchable", "unknown", "bars_missing")
_SHOWN_REASONS = 20


class Tally:
    """The sums over months, by series."""

    def __init__(self) -> None:
        self.counts: dict[Key, Counter[str]] = defaultdict(Counter)
        self.reasons: dict[Key, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        self.failures: list[str] = []

    @property
    def incomplete(self) -> bool:
        """Whether a run failed, or something stays unknown that another run may find."""
        return bool(self.failures) or any(counts["unknown"] for counts in self.counts.values())

    def add(
        self,
        month: str,
        told: Mapping[Key, Mapping[str, str]],
        series: Sequence[Key],
        failure: str | None,
    ) -> None:
        """Count one run. `told`: label and value of each asset's event; `failure`: why the run failed."""
        for key in series:
            entries = told.get(key)
            if entries is None:
                continue
            for name in _COUNTS:
                self.counts[key][name] += int(entries.get(name, "0"))
            for name in ("reasons", "problems"):
                if entries.get(name):
                    self.reasons[key][entries[name]].append(month)
        silent = [key for key in series if key not in told]
        if failure is not None:
            self.failures.append(f"{month}: {failure}")
        elif silent:
            self.failures.append(f"{month}: the run says nothing of {', '.join(map(_name, silent))}")


def show(console: Console, tally: Tally) -> None:
    """Print the table, the reasons and the failures; nothing if no run has ended."""
    if tally.counts:
        table = Table(box=None, pad_edge=False)
        table.add_column("history", no_wrap=True)
        for heading in ("rows", "new", "revised", "empty", "unfetchable", "unknown"):
            table.add_column(heading, justify="right", min_width=len(heading))
        for key, counts in tally.counts.items():
            missing = counts["unknown"] + counts["bars_missing"]
            numbers = [counts[n] for n in ("rows", "new", "revised", "exchange_empty", "unfetchable")]
            table.add_row(_name(key), *(f"{number:,}" for number in [*numbers, missing]))
        console.print(table)
    for key, reasons in tally.reasons.items():
        for reason, months in list(reasons.items())[:_SHOWN_REASONS]:
            # Side by side, months end in any order.
            span = months[0] if len(months) == 1 else f"{min(months)} to {max(months)}"
            console.print(f"{_name(key)}, {span}: {escape(reason)}", soft_wrap=True, highlight=False)
        if len(reasons) > _SHOWN_REASONS:
            console.print(f"{_name(key)}: {len(reasons) - _SHOWN_REASONS} more; Dagster's events have them")
    for failure in tally.failures:
        console.print(failure, style="red", markup=False, soft_wrap=True)


def _name(key: Key) -> str:
    return "/".join(key[1:])
