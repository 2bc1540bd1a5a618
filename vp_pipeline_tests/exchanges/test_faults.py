"""What goes wrong on the wire: which error it becomes, whether it is asked again, and whom it concerns."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import ccxt.async_support
import pytest

from vp_pipeline.exchanges import patience
from vp_pipeline.exchanges.answer import Answer
from vp_pipeline.exchanges.errors import FetchError
from vp_pipeline.exchanges.frames import Fetched
from vp_pipeline.exchanges.patience import Patience
from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline_tests.exchanges.conftest import ONCE, TWICE, Traffic
from vp_pipeline_tests.exchanges.worlds import NOW, WINDOW, World, fetch_all, one_market_each, run

LISTING_CHECKED = ("binance", "kraken", "gate", "cryptocom")


FAULTS: list[Any] = [
    pytest.param({"kind": "status", "status": 429}, True, "limits our requests", id="429"),
    pytest.param(
        {"kind": "status", "status": 429, "retry_after": 90},
        False,
        "no request before 2025-03-05 12:02:20 UTC",
        id="429 for long",
    ),
    pytest.param(
        {"kind": "status", "status": 418, "retry_after": 7200},
        False,
        "banned this address until 2025-03-05 14:00:50 UTC",
        id="418",
    ),
    pytest.param({"kind": "status", "status": 418}, False, "does not say until when", id="418 without end"),
    pytest.param({"kind": "status", "status": 500}, True, "", id="500"),
    pytest.param({"kind": "status", "status": 503, "body": '{"message":"busy"}'}, True, "", id="503 JSON"),
    pytest.param({"kind": "status", "status": 524, "body": "<html>"}, True, "cannot be reached", id="524"),
    pytest.param({"kind": "status", "status": 529}, True, "cannot be reached", id="529"),
    pytest.param({"kind": "status", "status": 451}, False, "use another network", id="451"),
    pytest.param({"kind": "status", "status": 403, "body": "<html>"}, False, "use another network", id="403"),
    pytest.param({"kind": "status", "status": 400, "body": "<html>"}, False, "refused the request", id="400"),
    pytest.param({"kind": "reset"}, True, "cannot be reached", id="reset"),
    pytest.param({"kind": "truncated"}, True, "cut off", id="truncated"),
    pytest.param({"kind": "html"}, True, "the answer is not candles", id="html"),
    pytest.param({"kind": "empty_body"}, True, "the answer is not candles", id="empty body"),
]


@pytest.mark.parametrize("where", ["candles", "listings"])
@pytest.mark.parametrize(("fault", "retryable", "words"), FAULTS)
def test_every_exchange_says_what_went_wrong(
    fault: dict[str, Any], retryable: bool, words: str, where: str, source: GeneratedSource
) -> None:
    async def work(here: World) -> None:
        # The listings' code is the same for all: a few exchanges will do.
        wanted = [key for key in one_market_each(here) if where == "candles" or key[0] in LISTING_CHECKED]
        market = {exchange: {"market": symbol} for exchange, symbol in wanted if where == "candles"}
        await here.faults(*({"exchange": name, **fault, **market.get(name, {})} for name, _ in wanted))
        outcomes = await fetch_all(wanted, WINDOW, here.hosts, None, ONCE)
        assert sorted(outcomes) == sorted(wanted)
        for (exchange, symbol), outcome in outcomes.items():
            assert isinstance(outcome, FetchError), exchange
            assert outcome.market == f"{exchange} {symbol}"
            assert outcome.retryable == retryable, outcome
            assert words in outcome.reason, outcome

    run(source, work)


@pytest.mark.parametrize("where", ["candles", "listings"])
@pytest.mark.parametrize(("fault", "retryable", "words"), [p for p in FAULTS if p.values[1]])
def test_what_passes_is_asked_again(
    fault: dict[str, Any], retryable: bool, words: str, where: str, source: GeneratedSource
) -> None:
    del retryable, words

    async def work(here: World) -> None:
        # The listings' code is the same for all: a few exchanges will do.
        wanted = [key for key in one_market_each(here) if where == "candles" or key[0] in LISTING_CHECKED]
        market = {exchange: {"market": symbol} for exchange, symbol in wanted if where == "candles"}
        await here.faults(
            *({"exchange": name, "count": 1, **fault, **market.get(name, {})} for name, _ in wanted)
        )
        outcomes = await fetch_all(wanted, WINDOW, here.hosts, None, TWICE)
        for exchange, outcome in outcomes.items():
            assert isinstance(outcome, Fetched), outcome
            assert len(outcome.frame) > 30, exchange

    run(source, work)


def test_what_does_not_pass_is_asked_once(source: GeneratedSource, traffic: Traffic) -> None:
    async def work(here: World) -> None:
        for status in (418, 451, 403):
            traffic.urls.clear()
            await here.faults({"exchange": "okx", "market": "BTC/USDT", "kind": "status", "status": status})
            await fetch_all([("okx", "BTC/USDT")], WINDOW, here.hosts, None, Patience(attempts=5))
            assert len(traffic.candles()) == 1

    run(source, work)


def test_a_short_retry_after_is_waited_for(source: GeneratedSource) -> None:
    async def work(here: World) -> None:
        fault = {"exchange": "okx", "market": "BTC/USDT", "kind": "status", "status": 429, "count": 1}
        await here.faults({**fault, "retry_after": 1})
        started = time.monotonic()
        outcomes = await fetch_all([("okx", "BTC/USDT")], WINDOW, here.hosts, None, TWICE)
        assert isinstance(outcomes["okx", "BTC/USDT"], Fetched)
        assert time.monotonic() - started > 0.99

    run(source, work)


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("7", datetime(2025, 3, 5, 12, 0, 57, tzinfo=UTC)),
        ("Wed, 05 Mar 2025 12:30:00 GMT", datetime(2025, 3, 5, 12, 30, tzinfo=UTC)),
        ("soon", None),
        ("-5", None),
        ("Wed, 05 Mar 2025 12:30:00", datetime(2025, 3, 5, 12, 30, tzinfo=UTC)),
        ("9" * 30, datetime(2026, 3, 5, 12, 0, 50, tzinfo=UTC)),
        ("9" * 5000, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, until: datetime | None) -> None:
    answer = Answer()
    answer.note(429, {"DATE": "Wed, 05 Mar 2025 12:00:50 GMT", "retry-after": text})
    assert (answer.exchange_time, answer.stay_away_until) == (NOW, until)
    answer.forget()
    assert (answer.status, answer.exchange_time, answer.stay_away_until) == (None, None, None)
    assert abs(answer.now - datetime.now(UTC)) < timedelta(seconds=5)


def test_pauses_grow_and_end() -> None:
    passing = FetchError("m", "r", retryable=True)
    usual = patience.USUAL
    for attempt, middle in ((1, 0.5), (2, 1.0)):
        pauses = [usual.after(passing, attempt) for _ in range(50)]
        assert all(pause is not None and middle / 2 <= pause <= middle * 1.5 for pause in pauses)
        assert len(set(pauses)) > 1
    crowded = [usual.after(FetchError("m", "r", retryable=True, crowded=True), 1) for _ in range(50)]
    assert all(pause is not None and 1.5 <= pause <= 4.5 for pause in crowded)
    assert len(set(crowded)) > 1
    assert usual.after(passing, usual.attempts) is None
    assert usual.after(FetchError("m", "r"), 1) is None
    assert usual.after(FetchError("m", "r", retryable=True, wait_seconds=7.0), 1) == 7.0


# Bodies with status 200 in which the candles are missing; none may pass for "no candles".
@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "null",
        "5",
        '"maintenance"',
        '{"status":"maintain"}',
        '{"result":{}}',
        '{"error":[]}',
        '{"code":"0","data":null}',
        '{"code":0,"retCode":0,"data":{},"result":{"list":null}}',
        '[{"a":1}]',
    ],
)
def test_an_answer_without_candles_is_not_an_empty_one(
    body: str, source: GeneratedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = ccxt.async_support.Exchange

    def other_body(_: Any, code: int, reason: str, url: str, *rest: Any) -> Any:
        del code, reason
        told = any(word in url.lower() for word in ("candle", "kline", "ohlc"))
        return body if told else rest[2]

    monkeypatch.setattr(base, "on_rest_response", other_body)

    async def work(here: World) -> None:
        outcomes = await fetch_all(one_market_each(here), WINDOW, here.hosts, None, ONCE)
        for key, outcome in outcomes.items():
            assert isinstance(outcome, FetchError), (key, outcome)

    run(source, work)


@pytest.mark.parametrize(
    ("exchange", "body"),
    [
        ("kraken", '{"error":[],"result":{"OTHER":[[1741168800,"1","1","1","1","1","1",1]],"last":1}}'),
        ("bybit", '{"retCode":0,"result":{"rows":[["1741168800000","1","1","1","1","1","1"]]}}'),
        ("bitstamp", '{"data":{"candles":[{"timestamp":"1741168800"}]}}'),
    ],
)
def test_candles_under_another_name_are_not_an_empty_answer(
    exchange: str, body: str, source: GeneratedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        ccxt.async_support.Exchange,
        "on_rest_response",
        lambda *a: body if any(word in a[3].lower() for word in ("kline", "ohlc")) else a[6],
    )

    async def work(here: World) -> None:
        symbol = here.markets(exchange)[0].symbol
        outcomes = await fetch_all([(exchange, symbol)], WINDOW, here.hosts, None, ONCE)
        outcome = outcomes[exchange, symbol]
        assert isinstance(outcome, FetchError)
        assert "candles missing" in outcome.reason
        assert outcome.retryable

    run(source, work)


@pytest.mark.parametrize("body", ["{}", "null", "[]", '{"result":{},"data":[],"symbols":[],"code":0}'])
def test_an_empty_list_of_markets_is_not_believed(
    body: str, source: GeneratedSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ccxt.async_support.Exchange, "on_rest_response", lambda *_: body)

    async def work(here: World) -> None:
        outcomes = await fetch_all(one_market_each(here), WINDOW, here.hosts, None, ONCE)
        for outcome in outcomes.values():
            assert isinstance(outcome, FetchError)
            assert "does not list it" not in outcome.reason, outcome

    run(source, work)
