"""A time limit for a whole blocking call, however slowly its bytes drip.

The HTTP library's own timeout starts anew with each byte, and does not count the look-up of a name.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class DeadlineError(TimeoutError):
    """The call was given up. It may go on in a thread of its own until its peer hangs up."""


class _Call(threading.Thread, Generic[Result]):
    def __init__(self, work: Callable[[], Result]) -> None:
        super().__init__(name="request", daemon=True)  # a daemon: it must not hold up the process's end
        self._work = work
        self.results: list[Result] = []
        self.error: Exception | None = None

    def run(self) -> None:
        """Keep what comes of the work for the thread that waits."""
        try:
            self.results.append(self._work())
        except Exception as error:  # noqa: BLE001  # raised again in `within`
            self.error = error


def within(seconds: float, work: Callable[[], Result]) -> Result:
    """The result of `work`, or its exception.

    Raises:
        DeadlineError: it took longer.
    """
    call = _Call(work)
    call.start()
    call.join(seconds)
    if call.is_alive():
        raise DeadlineError(f"no whole answer within {seconds:g} s")
    if call.error is not None:
        raise call.error
    return call.results[0]
