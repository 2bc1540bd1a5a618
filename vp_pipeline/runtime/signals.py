"""Being told to stop: SIGINT, SIGTERM and SIGHUP end the program in the same orderly way.

Here belongs when such a signal takes effect. What is stopped, and how, is in `platform`.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Terminated(KeyboardInterrupt):
    """The program was told to stop by signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def raise_terminated() -> None:
    """Let the first stop signal raise `Terminated`; those after it are ignored, as stopping is under way.

    Under nohup, SIGHUP stays without effect.
    """

    def terminate(number: int, _frame: object) -> None:
        ignore()
        raise Terminated(number)

    for number in STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, terminate)


def ignore() -> None:
    """Pass over stop signals from now on.

    With a handler, since what is ignored would stay so in the programs started from here.
    """
    for number in STOP_SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@contextmanager
def held_back() -> Iterator[None]:
    """Keep stop signals from this thread, and from the programs it starts, until the block is left.

    Ctrl-C goes to every program of the terminal: one that starts or stops a server must not die halfway.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
