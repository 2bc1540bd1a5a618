"""The JSON answers: what is stored, bounded, and complaints as problem+json."""

from datetime import UTC, datetime

import pandas as pd
import pytest
import requests

from vp_pipeline.site import api
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
            "price_market": "binance BTC/USDT",
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


def test_health(address: str) -> None:
    answer = requests.get(f"{address}/healthz", timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_artifacts(address: str) -> None:
    [one] = requests.get(f"{address}/api/v1/artifacts", timeout=10).json()
    assert one["name"] == "volume_profile/btc"
    assert one["sha256"] in requests.head(address + one["url"], timeout=10).headers["etag"]


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
    assert body["next_start"] is None


def test_aggregate_comes_in_bounded_parts(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "MOST_ROWS", 50)
    start, lengths = START.isoformat(), []
    while start:
        body = _get(address, instrument="BTC", start=start, end=(START + MINUTES * MINUTE).isoformat()).json()
        lengths.append(len(body["rows"]))
        start = body["next_start"]
    assert lengths == [50, 50, 20]


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
