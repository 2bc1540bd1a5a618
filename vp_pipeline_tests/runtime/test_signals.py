import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from vp_pipeline.runtime import signals
from vp_pipeline.runtime.signals import Terminated


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in signals.STOP_SIGNALS}
    # Under nohup a run begins with one of them ignored.
    for number in signals.STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", signals.STOP_SIGNALS)
def test_the_first_signal_raises_and_later_ones_do_not(number: signal.Signals) -> None:
    signals.raise_terminated()
    with pytest.raises(Terminated) as caught:
        os.kill(os.getpid(), number)
    assert caught.value.number == number
    for other in signals.STOP_SIGNALS:
        os.kill(os.getpid(), other)


def test_a_signal_held_back_takes_effect_at_the_end_of_the_block() -> None:
    signals.raise_terminated()
    steps = []

    def block() -> None:
        with signals.held_back():
            # To this thread: one that another test has left behind would take it at once.
            signal.raise_signal(signal.SIGTERM)
            steps.append("whole")

    with pytest.raises(Terminated):
        block()
    assert steps == ["whole"]


def test_programs_started_while_signals_are_held_back_do_not_get_them() -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('alive')"
    with signals.held_back():
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "alive\n"


def test_under_nohup_the_end_of_the_terminal_does_not_matter() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals.raise_terminated()
    os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
