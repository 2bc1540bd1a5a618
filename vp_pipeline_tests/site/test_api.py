"""The JSON answers: what is stored, bounded, and complaints as problem+json."""

import io
import re
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
import requests

from vp_pipeline.storage import artifacts, rows
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.tables import AGGREGATE
from vp_pipeline.windows import MINUTE

START = datetime(2023, 3, 11, tzinfo=UTC)
MINUTES = 120


@pytest.fixture(scope="module", autouse=True)
def stored(database_url: str) -> None:
    frame = pd.DataFrame(
        {
            "open_time": pd.date_range(START, periods=MINUTES, freq="min"),
            "open": 20_000.0,
            "high": 20_010.0,
            "low": 19_990.0,
            "close": 20_005.0,
            "volume": 1.5,
            "markets": 2,
            "missing": "",
            "price_market": "kraken BTC/USD",
            "left_out": "",
            **dict.fromkeys(("vwap", "robust_price", "quote_volume_usd", "taker_buy_volume"), 1.0),
        }
    )
    frame.loc[3, ["open", "high", "low", "close"]] = None
    frame.loc[3, "missing"] = "binance BTC/USDT"
    with transaction(database_url) as connection:
        rows.replace(connection, AGGREGATE, frame, {"base": "BTC"})
        artifacts.put(connection, "volume_profile/btc", "2023-03-11", "<p>", "run-1")


def _get(address: str, **parameters: str) -> requests.Response:
    return requests.get(f"{address}/api/v1/aggregate", params=parameters, timeout=10)


def _rows(address: str, path: str, **parameters: str | int) -> list[dict[str, Any]]:
    answer = requests.get(f"{address}/api/v1/{path}", params=parameters, timeout=10)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["rows"]
    return rows


def test_health(address: str) -> None:
    answer = requests.get(f"{address}/healthz", timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_artifacts(address: str) -> None:
    [one] = _rows(address, "artifacts")
    assert one["name"] == "volume_profile/btc"
    assert one["sha256"] in requests.head(address + one["url"], timeout=10).headers["etag"]
    assert _rows(address, "artifacts", search="PROFILE/btc/2023") == [one]
    assert _rows(address, "artifacts", search="tearsheet") == []


def test_aggregate_is_half_open_and_keeps_nulls(address: str) -> None:
    body = _get(
        address, instrument="BTC", start="2023-03-11T00:02:00Z", end="2023-03-11T01:05:00+01:00"
    ).json()
    assert [row["open_time"] for row in body["rows"]] == [
        "2023-03-11T00:02:00Z",
        "2023-03-11T00:03:00Z",
        "2023-03-11T00:04:00Z",
    ]
    assert body["rows"][0]["close"] == 20_005.0
    assert body["rows"][1]["close"] is None
    assert body["rows"][1]["missing"] == "binance BTC/USDT"
    assert (body["instrument"], body["next"]) == ("BTC", None)


def test_aggregate_comes_in_pages_as_candles_do(address: str) -> None:
    end = (START + MINUTES * MINUTE).isoformat()
    answer = _get(address, instrument="BTC", start=START.isoformat(), end=end, limit="50")
    lengths, seen = [], []
    while True:
        body = answer.json()
        lengths.append(len(body["rows"]))
        seen += [row["open_time"] for row in body["rows"]]
        assert answer.headers.get("link") == (body["next"] and f'<{body["next"]}>; rel="next"')
        if body["next"] is None:
            break
        answer = requests.get(body["next"], timeout=10)
    assert lengths == [50, 50, 20]
    assert len(set(seen)) == MINUTES


def test_aggregate_is_csv_too_and_nothing_stands_for_what_is_not_known(address: str) -> None:
    query = {"instrument": "BTC", "start": "2023-03-11T00:02:00Z", "end": "2023-03-11T00:04:00Z"}
    text = requests.get(f"{address}/api/v1/aggregate.csv", params=query, timeout=10).text
    assert text.splitlines() == [
        "open_time,open,high,low,close,volume,markets,missing",
        "2023-03-11T00:02:00Z,20000.0,20010.0,19990.0,20005.0,1.5,2,",
        "2023-03-11T00:03:00Z,,,,,1.5,2,binance BTC/USDT",
    ]


@pytest.mark.parametrize(
    ("changes", "status", "named"),
    [
        ({"instrument": "DOGE"}, 404, "BTC, ETH"),
        ({"start": "yesterday"}, 422, "start:"),
        ({"start": "2023-03-11T00:00:00"}, 422, "start:"),
        ({"start": "0001-01-01T00:00:00+14:00"}, 422, "start:"),
        ({"end": "2023-03-10T00:00:00Z"}, 422, "end: must be after start"),
    ],
)
def test_complaints_name_what_was_wrong(
    address: str, changes: dict[str, str], status: int, named: str
) -> None:
    valid = {"instrument": "BTC", "start": "2023-03-11T00:00:00Z", "end": "2023-03-12T00:00:00Z"}
    answer = _get(address, **(valid | changes))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert named in answer.json()["detail"]


def test_an_unknown_address_is_a_problem_too(address: str) -> None:
    answer = requests.get(f"{address}/api/v2", timeout=10)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_writing_is_refused(address: str) -> None:
    assert requests.post(f"{address}/api/v1/artifacts", timeout=10).status_code == 405


def test_instruments_and_markets(address: str) -> None:
    btc, eth = _rows(address, "instruments")
    assert (btc["instrument"], btc["row_size"], btc["markets"]) == ("BTC", 10, 3)
    assert (btc["first_minute"], btc["last_minute"]) == ("2023-03-11T00:00:00Z", "2023-03-11T01:59:00Z")
    assert eth["last_minute"] is None
    assert [one["state"] for one in _rows(address, "markets")] == ["live", "live", "retired", "live"]
    assert _rows(address, "status") == _rows(address, "markets")


SPAN = {"start": "2023-03-11T00:00:00Z", "end": "2023-03-12T00:00:00Z"}


@pytest.mark.parametrize(
    ("timeframe", "count", "minutes"), [("1m", 120, 1), ("15m", 8, 15), ("1h", 2, 60), ("1d", 1, 120)]
)
def test_candles(address: str, timeframe: str, count: int, minutes: int) -> None:
    rows_of = _rows(address, "candles", instrument="BTC", timeframe=timeframe, **SPAN)
    assert len(rows_of) == count
    assert sum(one["volume"] for one in rows_of) == pytest.approx(1.5 * MINUTES)
    assert rows_of[-1]["minutes"] == minutes
    assert rows_of[-1]["complete"] == (timeframe != "1d")


@pytest.mark.parametrize("limit", [1, 7, 50, 1000])
def test_next_leads_through_all_candles(address: str, limit: int) -> None:
    url = f"{address}/api/v1/candles?instrument=BTC&timeframe=1m&limit={limit}"
    url += f"&start={SPAN['start']}&end={SPAN['end']}"
    seen: list[str] = []
    while url:
        answer = requests.get(url, timeout=10)
        body = answer.json()
        assert len(body["rows"]) <= limit
        seen += [row["open_time"] for row in body["rows"]]
        url = body["next"]
        assert (url is None) == ("link" not in answer.headers)
        if len(seen) > MINUTES * 2 or (limit == 1 and len(seen) > 9):
            break
    assert seen == sorted(set(seen))
    assert len(seen) == (10 if limit == 1 else MINUTES)


def test_csv_by_suffix_and_by_header(address: str) -> None:
    query = {"instrument": "BTC", "timeframe": "1h", **SPAN}
    suffix = requests.get(f"{address}/api/v1/candles.csv", params=query, timeout=10)
    header = requests.get(
        f"{address}/api/v1/candles", params=query, headers={"Accept": "text/csv"}, timeout=10
    )
    assert suffix.headers["content-type"] == "text/csv; charset=utf-8"
    assert suffix.content == header.content
    frame = pd.read_csv(io.StringIO(suffix.text), parse_dates=["open_time"])
    assert frame["minutes"].tolist() == [60, 60]
    assert str(frame["open_time"].dt.tz) == "UTC"


@pytest.mark.parametrize(
    "path",
    [
        "instruments",
        "markets",
        "candles?instrument=BTC&{span}",
        "aggregate?instrument=BTC&{span}",
        "profile?instrument=BTC&{span}",
        "artifacts",
        "levels?instrument=BTC&{span}",
        "strategies",
    ],
)
def test_an_unchanged_answer_is_not_sent_again(address: str, path: str) -> None:
    url = f"{address}/api/v1/" + path.format(span="&".join(f"{name}={value}" for name, value in SPAN.items()))
    first = requests.get(url, timeout=10)
    assert first.status_code == 200, first.text
    if path == "markets":  # which says how old the newest minute is
        return
    again = requests.get(url, headers={"If-None-Match": first.headers["etag"]}, timeout=10)
    assert (again.status_code, again.content) == (304, b"")
    assert requests.get(url, headers={"If-None-Match": '"other"'}, timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "named"),
    [
        ("candles?{span}", 422, "one of the two"),
        ("candles?instrument=DOGE&{span}", 404, "BTC, ETH"),
        ("candles?market=x&{span}", 404, "kraken BTC/USD"),
        ("candles?instrument=BTC&timeframe=7m&{span}", 422, "1m, 3m"),
        ("candles?instrument=BTC&limit=0&{span}", 422, "limit:"),
        ("candles?instrument=BTC&limit=99999&{span}", 422, "limit:"),
        ("profile?instrument=BTC&venue=x&{span}", 404, "There is no venue"),
        ("profile?instrument=BTC&placement=trades&{span}", 422, "not stored"),
        ("profile?instrument=BTC&placement=x&{span}", 422, "placement:"),
        (
            "profile?instrument=BTC&placement=close&start=2020-01-01T00:00Z&end=2023-01-01T00:00Z",
            422,
            "31 days",
        ),
        ("levels?instrument=BTC&start=2023-01-01T00:00Z&end=2022-01-01T00:00Z", 422, "end: must be after"),
        ("sessions?symbol=X&interval=5m", 404, "There are:"),
        ("strategies/%00", 404, "There is no strategy"),
        ("artifacts?offset=-1", 422, "offset:"),
    ],
)
def test_every_complaint_is_a_problem(address: str, path: str, status: int, named: str) -> None:
    span = "&".join(f"{name}={value}" for name, value in SPAN.items())
    url = f"{address}/api/v1/" + path.format(span=span, end=f"end={SPAN['end']}")
    answer = requests.get(url, timeout=10)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert named in answer.json()["detail"]


def test_openapi_describes_paths_and_leaves_out_csv(address: str) -> None:
    paths = requests.get(f"{address}/api/v1/openapi.json", timeout=10).json()["paths"]
    assert {"/api/v1/candles", "/healthz"} <= set(paths)
    assert not any(path.endswith(".csv") for path in paths)


def test_metrics(address: str) -> None:
    requests.get(f"{address}/no/such/page", timeout=10)
    requests.get(f"{address}/api/v1/instruments", timeout=10)
    text = requests.get(f"{address}/metrics", timeout=10).text
    assert "vp_database_up 1" in text
    assert 'vp_site_requests_total{route="/api/v1/instruments",method="GET",status="200"}' in text
    assert "/no/such/page" not in text
    for line in text.splitlines():
        assert re.fullmatch(r"# TYPE \w+ \w+|\w+(\{.*\})? [\d.e+-]+", line), line
    count = re.search(r'seconds_count\{route="/api/v1/instruments"\} (\d+)', text)
    last = re.search(r'seconds_bucket\{route="/api/v1/instruments",le="\+Inf"\} (\d+)', text)
    assert count is not None
    assert last is not None
    assert count[1] == last[1]
