import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from vp_pipeline.runtime import dagster_api
from vp_pipeline.runtime.dagster_api import DagsterApi, DagsterError

ASSET = ("aggregate", "btc")


@contextmanager
def answering(*answers: tuple[int, Any]) -> Iterator[tuple[DagsterApi, list[dict[str, Any]]]]:
    """A webserver that gives these answers in turn, the last again and again; what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, body = answers[min(len(asked), len(answers)) - 1]
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_request(self, *_: object) -> None:
            """Nothing is printed."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield DagsterApi(f"http://127.0.0.1:{server.server_port}"), asked
        finally:
            server.shutdown()
            thread.join()


def ranges(*found: tuple[str, str, str]) -> dict[str, Any]:
    return {
        "assetPartitionStatuses": {
            "ranges": [{"status": status, "startKey": start, "endKey": end} for status, start, end in found]
        }
    }


def partitions(*nodes: dict[str, Any]) -> tuple[int, Any]:
    return 200, {"data": {"assetNodes": list(nodes)}}


@pytest.mark.parametrize(
    ("nodes", "until"),
    [
        ([ranges(("MATERIALIZED", "00", "05"))], "05"),
        # A gap ends it, whatever is behind.
        ([ranges(("MATERIALIZED", "00", "02"), ("MATERIALIZED", "04", "09"))], "02"),
        # What does not hold the first key does not count.
        ([ranges(("MATERIALIZED", "01", "09"))], None),
        # The range may have begun earlier than the first key asked for.
        ([ranges(("FAILED", "00", "09"))], None),
        ([ranges(("MATERIALIZED", "00", "05")), ranges(("MATERIALIZED", "00", "03"))], "03"),
        ([ranges(("MATERIALIZED", "00", "05")), ranges()], None),
        ([{"assetPartitionStatuses": {}}], None),
    ],
)
def test_materialized_until_is_the_end_of_what_all_have_without_a_gap(
    nodes: list[dict[str, Any]], until: str | None
) -> None:
    with answering(partitions(*nodes)) as (dagster, _):
        assert dagster.materialized_until([ASSET] * len(nodes), "00") == until


def test_a_range_that_begins_earlier_counts_from_the_first_key_on() -> None:
    with answering(partitions(ranges(("MATERIALIZED", "00", "05")))) as (dagster, _):
        assert dagster.materialized_until([ASSET], "03") == "05"


def test_a_question_is_asked_again_when_the_server_failed_to_answer() -> None:
    failed = 500, {"errors": [{"message": "no connection to the database"}]}
    with answering(failed, partitions(ranges(("MATERIALIZED", "00", "05")))) as (dagster, asked):
        assert dagster.materialized_until([ASSET], "00") == "05"
        assert len(asked) == 2


def test_a_question_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dagster_api, "PATIENCE_SECONDS", 0)
    with (
        answering((500, {"errors": [{"message": "no connection"}]})) as (dagster, _),
        pytest.raises(DagsterError, match="does not answer: no connection"),
    ):
        dagster.assets()


def test_an_order_is_given_once() -> None:
    with answering((500, {"errors": [{"message": "no connection"}]})) as (dagster, asked):
        with pytest.raises(DagsterError, match="does not answer: no connection"):
            dagster.launch("tick", {})
        assert len(asked) == 1


def test_a_refused_query_is_told_at_once() -> None:
    with answering((400, {"errors": [{"message": "Cannot query field"}]})) as (dagster, asked):
        with pytest.raises(DagsterError, match="refused a query: Cannot query field"):
            dagster.assets()
        assert len(asked) == 1


def test_a_refused_run_says_why() -> None:
    refused = 200, {"data": {"launchRun": {"__typename": "PipelineNotFoundError", "message": "no tick here"}}}
    with answering(refused) as (dagster, asked):
        with pytest.raises(DagsterError, match=r"the job tick cannot be started: .*no tick here"):
            dagster.launch("tick", {"key": "value"}, [ASSET])
        params = asked[0]["variables"]["params"]
        assert params["executionMetadata"]["tags"] == [{"key": "key", "value": "value"}]
        assert params["selector"]["assetSelection"] == [{"path": ["aggregate", "btc"]}]


def run_status(status: str, done: int) -> tuple[int, Any]:
    stats = {"materializations": done}
    run = {"status": status, "startTime": 10.0, "endTime": 12.5, "stats": stats}
    return 200, {"data": {"runOrError": run}}


def test_following_a_run_reports_progress_until_it_ends() -> None:
    seen: list[int] = []
    with answering(run_status("STARTED", 0), run_status("STARTED", 3), run_status("SUCCESS", 7)) as (
        dagster,
        _,
    ):
        assert dagster.follow("r", seen.append).seconds == 2.5
    assert seen == [0, 3, 7]


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([{"stepKey": "candles", "error": {"message": "boom"}}], "candles: boom"),
        (
            [
                {
                    "stepKey": "candles",
                    "error": {"message": "x"},
                    "failureMetadata": {"description": "No market"},
                }
            ],
            "candles: No market",
        ),
        ([{}, {"message": "Caught an error"}], "Caught an error"),
        (
            [{"message": "This run has been marked as failed from outside the execution context."}],
            "its process was ended from outside",
        ),
        ([], "see its log"),
    ],
)
def test_a_failed_run_says_what_dagster_logged(events: list[dict[str, Any]], why: str) -> None:
    logged = 200, {"data": {"logsForRun": {"events": events}}}
    with answering(run_status("FAILURE", 0), logged) as (dagster, _), pytest.raises(DagsterError) as caught:
        dagster.follow("r1", lambda _: None)
    assert str(caught.value) == f"run {dagster.url}/runs/r1 ended as FAILURE: {why}"


def test_an_asset_that_cannot_be_materialized_is_no_asset_of_the_main_job() -> None:
    def node(name: str, can: bool, *times: str) -> dict[str, Any]:
        made = [{"runId": "r", "timestamp": time} for time in times]
        return {
            "assetKey": {"path": ["candles", name]},
            "opNames": ["candles"] if can else [],
            "isMaterializable": can,
            "assetMaterializations": made,
        }

    with answering(partitions(node("a", True, "5000"), node("b", True), node("retired", False))) as (
        dagster,
        _,
    ):
        states = {state.path[1]: state for state in dagster.assets()}
    assert {name: state.materialized for name, state in states.items()} == {"a": True, "b": False}
    assert states["a"].last == 5.0


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with answering(partitions()) as (dagster, asked):
        assert dagster.assets() == []
        assert len(asked) == 1
