"""One stage's progress at the terminal: a bar where there is one, a line where there is not."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar


class Progress:
    """Shows `title` and how many of `total` materializations are there, until the block is left."""

    def __init__(self, console: Console, title: str, total: int) -> None:
        self._console, self._title, self._total = console, title, total
        self._started = time.monotonic()
        self._bar: Bar | None = None
        if console.is_terminal:
            columns = (
                TextColumn("{task.description:<60}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            self._bar = Bar(*columns, console=console, transient=True)
            self._task = self._bar.add_task(title, total=total)

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        if self._bar is not None:
            self._bar.start()
        else:
            self._console.print(f"  … {self._title}")
        return self

    def update(self, done: int) -> None:
        """So many are there."""
        if self._bar is not None:
            self._bar.update(self._task, completed=min(done, self._total))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        mark = "[red]✗[/]" if kind is not None else "[green]✓[/]"
        self._console.print(f"  {mark} {self._title}  [dim]{time.monotonic() - self._started:.1f} s[/]")
