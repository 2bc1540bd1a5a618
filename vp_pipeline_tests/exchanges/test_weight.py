"""The limiter by request weight, and the time limit of a whole request."""

import threading
import time
from collections.abc import Iterator

import pytest

from vp_pipeline.exchanges.deadline import DeadlineError, within
from vp_pipeline.exchanges.futures import FuturesClient, weight
from vp_pipeline.exchanges.weight import WeightLimiter


class Time:
    """A clock that sleeping moves on."""

    def __init__(self) -> None:
        self.now, self.slept = 1000.0, 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        self.slept += seconds


@pytest.fixture
def moment() -> Time:
    return Time()


@pytest.fixture
def limiter(moment: Time) -> WeightLimiter:
    return WeightLimiter(100, moment.clock, moment.sleep)


def test_no_minute_has_more_than_its_budget(moment: Time, limiter: WeightLimiter) -> None:
    taken: list[tuple[float, int]] = []
    for step in range(200):
        cost = (1, 2, 5, 10)[step % 4]
        limiter.take(cost)
        taken.append((moment.now, cost))
        moment.now += 0.7
    for start, _ in taken:
        assert sum(cost for when, cost in taken if start <= when < start + 60) <= 100
    # No more waiting than the budget asks for.
    assert moment.now - 1000 < sum(cost for _, cost in taken) / 100 * 60 + 60


def test_what_others_spent_counts(moment: Time, limiter: WeightLimiter) -> None:
    limiter.take(10)
    limiter.told(8)  # not more than we know of
    limiter.take(90)
    assert moment.slept == 0
    moment.now += 61
    limiter.told(96)
    limiter.take(4)
    assert moment.slept == 0
    limiter.take(1)
    assert 59 < moment.slept < 61
    moment.now += 61
    limiter.told(10**9)
    limiter.take(100)
    assert moment.slept < 122


def test_more_than_a_budget_is_a_mistake(limiter: WeightLimiter) -> None:
    with pytest.raises(ValueError, match="101 exceeds 100"):
        limiter.take(101)


def test_threads_share_it() -> None:
    limiter, passed = WeightLimiter(20), []

    def work() -> None:
        for _ in range(5):
            limiter.take(1)
            passed.append(1)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    assert len(passed) == 20


def test_clients_of_a_host_share_a_limiter_and_a_breaker() -> None:
    one, other, elsewhere = (FuturesClient(f"http://127.0.0.1:{port}") for port in (1, 1, 2))
    assert one._limiter is other._limiter is not elsewhere._limiter
    assert one._breaker is other._breaker is not elsewhere._breaker


@pytest.mark.parametrize(
    ("rows", "cost"), [(1, 1), (99, 1), (100, 2), (499, 2), (500, 5), (1000, 5), (1500, 10)]
)
def test_weights(rows: int, cost: int) -> None:
    assert weight(rows) == cost


def test_no_request_has_more_rows_than_a_page() -> None:
    with pytest.raises(ValueError, match="1501"):
        weight(1501)


def test_a_call_is_given_up_in_time_and_its_error_is_the_callers() -> None:
    release, ended = threading.Event(), threading.Event()

    def waits() -> None:
        release.wait(30)
        ended.set()

    with pytest.raises(DeadlineError, match=r"within 0\.1 s"):
        within(0.1, waits)
    assert not ended.is_set()
    release.set()
    assert within(5, lambda: 7) == 7

    def fails() -> Iterator[int]:
        raise KeyError("code")

    with pytest.raises(KeyError, match="code"):
        within(5, fails)
