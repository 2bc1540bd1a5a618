"""Dagster's GraphQL API, as far as the main job needs it: launch a run, follow it, list the assets.

Dagster's own Python client imports all of Dagster, which the supervising process does without.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from vp_pipeline.runtime import queries

REPOSITORY = {"repositoryLocationName": "vp_pipeline", "repositoryName": "__repository__"}
# A webserver that has to start again answers well within this, on a Raspberry Pi too.
PATIENCE_SECONDS = 60
# What Dagster writes of a run whose process is gone.
_MARKED = "marked as failed from outside the execution context"
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


class DagsterError(RuntimeError):
    """Dagster did not do what it was asked to; the message says what and why."""


class _NotNowError(RuntimeError):
    """The webserver cannot answer at the moment."""


@dataclass(frozen=True)
class RunResult:
    """How a run ended, and how long it took from start to end, in seconds."""

    run_id: str
    seconds: float


@dataclass(frozen=True)
class RunProgress:
    """Where a run is, how many materializations it made, and of one that ended how many seconds it took."""

    status: str
    materializations: int
    seconds: float

    @property
    def ended(self) -> bool:
        """Whether it is over, well or not."""
        return self.status in ENDED


@dataclass(frozen=True)
class AssetState:
    """An asset, when it was last materialized (seconds since the epoch, None: never), and its step."""

    path: tuple[str, ...]
    last: float | None
    step: str

    @property
    def materialized(self) -> bool:
        """Whether it ever was."""
        return self.last is not None


class DagsterApi:
    """The API of one webserver."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        # Ours is a loopback address; a proxy of the environment is not meant for it.
        self._session.trust_env = False

    def launch(self, job: str, tags: Mapping[str, str], assets: Sequence[Sequence[str]] | None = None) -> str:
        """Start a run of a job, of these assets only if given; its id.

        Raises:
            DagsterError: Dagster refused.
        """
        selector: dict[str, Any] = {**REPOSITORY, "jobName": job}
        if assets is not None:
            selector["assetSelection"] = [{"path": list(path)} for path in assets]
        params = {
            "selector": selector,
            "runConfigData": "{}",
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        answer = self._query(queries.LAUNCH, params=params)["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise DagsterError(f"the job {job} cannot be started: {answer}")
        return str(answer["run"]["runId"])

    def follow(self, run_id: str, progress: Callable[[int], None]) -> RunResult:
        """Wait for a run's end; `progress` gets the number of materializations so far.

        Raises:
            DagsterError: the run failed; the message has the reason.
        """
        while True:
            run = self.look(run_id)
            progress(run.materializations)
            if run.ended:
                return self._result(run_id, run)
            time.sleep(0.25)

    def look(self, run_id: str) -> RunProgress:
        """Where a run is at the moment.

        Raises:
            DagsterError: there is no such run.
        """
        run = self._query(queries.RUN, id=run_id)["runOrError"]
        if "message" in run:
            raise DagsterError(f"run {run_id}: {run['message']}")
        seconds = (run["endTime"] or 0) - (run["startTime"] or 0)
        return RunProgress(run["status"], run["stats"].get("materializations") or 0, seconds)

    def result(self, run_id: str) -> RunResult:
        """How a run ended that has.

        Raises:
            DagsterError: it failed; the message has the reason.
        """
        return self._result(run_id, self.look(run_id))

    def _result(self, run_id: str, run: RunProgress) -> RunResult:
        if run.status != "SUCCESS":
            raise DagsterError(f"run {self.url}/runs/{run_id} ended as {run.status}: {self._why(run_id)}")
        return RunResult(run_id, run.seconds)

    def told(self, run_id: str) -> dict[tuple[str, ...], dict[str, str]]:
        """What a run's materializations and observations say, by asset: label and value as text."""
        events = self._query(queries.EVENTS, id=run_id)["logsForRun"].get("events", [])
        return {
            tuple(event["assetKey"]["path"]): {
                entry["label"]: entry.get("intRepr") or entry.get("text") or ""
                for entry in event["metadataEntries"]
            }
            for event in events
            if event.get("assetKey")
        }

    def terminate(self, run_id: str) -> None:
        """Ask a run to end; one that has ended already is left alone."""
        self._query(queries.TERMINATE, id=run_id)

    def assets(self) -> list[AssetState]:
        """All assets that can be materialized."""
        return [
            AssetState(
                tuple(node["assetKey"]["path"]),
                max(
                    (float(event["timestamp"]) / 1000 for event in node["assetMaterializations"]),
                    default=None,
                ),
                node["opNames"][0],
            )
            for node in self._query(queries.ASSETS)["assetNodes"]
            if node["isMaterializable"]
        ]

    def step_seconds(self, run_id: str) -> dict[str, float]:
        """How long each step of a run took that has ended."""
        run = self._query(queries.STEPS, id=run_id)["runOrError"]
        return {
            step["stepKey"]: step["endTime"] - step["startTime"]
            for step in run.get("stepStats", [])
            if step["startTime"] is not None and step["endTime"] is not None
        }

    def materialized_until(self, assets: Sequence[Sequence[str]], first: str) -> str | None:
        """The last partition key up to which all these assets are materialized without a gap from `first` on.

        None if one of them lacks the first.
        """
        nodes = self._query(queries.PARTITIONS, keys=[{"path": list(path)} for path in assets])["assetNodes"]
        ends = []
        for node in nodes:
            ranges = node["assetPartitionStatuses"].get("ranges", [])
            done = [
                r for r in ranges if r["status"] == "MATERIALIZED" and r["startKey"] <= first <= r["endKey"]
            ]
            if not done:
                return None
            ends.append(str(done[0]["endKey"]))
        return min(ends, default=None)

    def _why(self, run_id: str) -> str:
        for event in self._query(queries.FAILURE, id=run_id)["logsForRun"].get("events", []):
            if event.get("stepKey"):
                described = (event.get("failureMetadata") or {}).get("description")
                error = event.get("error") or {}
                cause = (error.get("cause") or {}).get("message")
                return f"{event['stepKey']}: {described or cause or error.get('message')}".strip()
            if event.get("message"):
                killed = _MARKED in event["message"]
                return "its process was ended from outside" if killed else str(event["message"])
        return "see its log"

    def _query(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of the answer; asked again while the webserver or the database starts anew."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._ask(document, variables)
            except (requests.RequestException, _NotNowError) as error:
                # An order is given once: nobody can tell whether it was heard.
                if document is queries.LAUNCH or time.monotonic() > deadline:
                    raise DagsterError(f"Dagster at {self.url} does not answer: {error}") from error
                time.sleep(0.5)

    def _ask(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        question = {"query": document, "variables": variables}
        response = self._session.post(f"{self.url}/graphql", json=question, timeout=60)
        answer = response.json()
        if answer.get("errors"):
            message = answer["errors"][0]["message"]
            if response.status_code >= requests.codes.server_error:
                raise _NotNowError(message)
            raise DagsterError(f"Dagster's API refused a query: {message}")
        data: dict[str, Any] = answer["data"]
        return data
