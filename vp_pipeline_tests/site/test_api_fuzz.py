"""The API by its own description: whatever is asked, an answer that it knows, and never a mistake."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vp_pipeline.settings import Settings
from vp_pipeline.storage import artifacts, latest
from vp_pipeline.storage.connection import transaction
from vp_pipeline_tests.site import seed
from vp_pipeline_tests.site.conftest import serving
from vp_pipeline_tests.site.described import complaints

END = datetime(2023, 3, 12, tzinfo=UTC)
ODD = ["", "0", "-1", "99999999999999999999", "1e9", "NaN", "\x00", "\u202e", "a'b\"<c>", "%"]
LIKELY = ["BTC", "ETH", "kraken BTC/USD", "1m", "1h", "1w", "uniform", "close", "one-row", "10000", "BTCUSDT"]
LIKELY += ["15m", "2023-03-11", "2023-03-11T00:00:00Z", "2023-03-11T12:00:00.5+01:00", "9999-12-31T23:59:59Z"]
DAY = {"start": "2023-03-11T14:00:00Z", "end": "2023-03-12T00:00:00Z"}
STATE = ("instrument", "period", "from", "to", "timeframe", "venue", "placement", "rule", "chart")
MORE = ("all", "1y", "line", "2023-03-11T20:00", "2023-03-12")


@pytest.fixture(scope="module", autouse=True)
def _stored(settings: Settings, database_url: str) -> None:
    seed.fill_market(settings, END, 600)
    with transaction(database_url) as connection:
        seed.fill_reports(connection, END)
        seed.fill_days(connection, END)
        artifacts.put(connection, "volume_profile/btc", "2023-03-11", "<p>", "run-1")
    asyncio.run(_poll(database_url))


async def _poll(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        minute = latest.Minute(END, 100.0, 102.0, 99.0, 101.0, 3.5, closed=False)
        await latest.replace(connection, "BTC", "kraken BTC/USD", (minute,), datetime.now(UTC))


@pytest.fixture(scope="module")
def address(settings: Settings) -> Iterator[str]:
    """A site that lets one client ask as often as this does."""
    with serving(settings.model_copy(update={"site_rate": 0})) as url:
        yield url


@pytest.fixture(scope="module")
def document(address: str) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{address}/api/v1/openapi.json", timeout=10).json()
    return found


@pytest.fixture(scope="module")
def described(document: dict[str, Any]) -> dict[str, Any]:
    return {path: of_it for path, of_it in document["paths"].items() if path.startswith("/api/")}


def _differs(document: dict[str, Any], path: str, answer: requests.Response) -> list[str]:
    """Where an answer in JSON is not what the document says of it."""
    said = document["paths"][path]["get"]["responses"][str(answer.status_code)]["content"]
    [(kind, of_it)] = said.items()
    assert answer.headers["content-type"] == kind
    return list(complaints(document, of_it["schema"], answer.json()))


SPAN = "start=2023-03-11T00:00:00Z&end=2023-03-12T00:00:00Z"
NOTHING = "start=2001-03-11T00:00:00Z&end=2001-03-12T00:00:00Z"
ANSWERS = {
    "/instruments": [""],
    "/markets": [""],
    "/status": [""],
    "/candles": [f"instrument=BTC&{SPAN}", f"market=kraken BTC/USD&timeframe=1m&limit=5&{SPAN}"],
    "/aggregate": [f"instrument=BTC&limit=5&{SPAN}", f"instrument=ETH&{SPAN}"],
    "/latest": ["instrument=BTC", "instrument=ETH"],
    "/profile": [f"instrument=BTC&{SPAN}", f"instrument=BTC&{NOTHING}", f"instrument=ETH&{SPAN}"],
    "/levels": [f"instrument=BTC&{SPAN}", f"instrument=BTC&{NOTHING}"],
    "/sessions": ["symbol=BTCUSDT&interval=15m", "symbol=BTCUSDT&interval=15m&day=2001-01-01"],
    "/strategies": [""],
    "/strategies/{strategy}": [""],
    "/artifacts": ["", "search=nothing"],
}


@pytest.mark.parametrize("path", ANSWERS)
def test_answers_are_what_the_document_says(address: str, document: dict[str, Any], path: str) -> None:
    for number, query in enumerate(ANSWERS[path]):
        url = f"{address}/api/v1{path}?{query}".replace("{strategy}", "mean_reversion")
        answer = requests.get(url, timeout=30)
        assert answer.status_code == 200, answer.text
        assert answer.json()["rows"] or number, "rows to compare"
        assert _differs(document, f"/api/v1{path}", answer) == [], url


def test_every_answer_is_described_and_compared(described: dict[str, Any]) -> None:
    assert set(described) == {f"/api/v1{path}" for path in ANSWERS}
    for path, methods in described.items():
        assert {"200", "404", "422", "429", "503"} == set(methods["get"]["responses"]), path


@pytest.fixture(scope="module")
def session() -> requests.Session:
    return requests.Session()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_asked(
    address: str,
    document: dict[str, Any],
    described: dict[str, Any],
    session: requests.Session,
    data: st.DataObject,
) -> None:
    template = path = data.draw(st.sampled_from(sorted(described)))
    get = described[path]["get"]
    values = st.sampled_from(ODD + LIKELY) | st.text(max_size=8)
    query: list[tuple[str, str]] = []
    for parameter in get.get("parameters", []):
        if parameter["in"] == "path":
            value = quote(data.draw(values), safe="")
            path = path.replace("{" + parameter["name"] + "}", value)
        elif parameter.get("required") or data.draw(st.booleans()):
            query.append((parameter["name"], data.draw(values)))
    if data.draw(st.booleans()):
        query = [(name, DAY.get(name, value)) for name, value in query]
    suffix = data.draw(st.sampled_from(["", ".csv"])) if "{" not in path else ""
    answer = session.get(address + path + suffix, params=query, timeout=30)
    assert answer.status_code in (200, 404, 422), f"{answer.url}: {answer.status_code}"
    # An empty name leads to the answer about all.
    if (answer.status_code != 200 or not suffix) and not answer.history:
        assert _differs(document, template, answer) == [], answer.url


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.lists(st.tuples(st.sampled_from(STATE), st.sampled_from([*ODD, *LIKELY, *MORE])), max_size=4))
def test_whatever_address_the_page_has(
    address: str, session: requests.Session, query: list[tuple[str, str]]
) -> None:
    answer = session.get(address, params=query, timeout=30)
    assert answer.status_code in (200, 404, 422), f"{answer.url}: {answer.status_code}"
    assert "<h1>" in answer.text
