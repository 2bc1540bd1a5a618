"""What is wrong with an installation now, and what of that is news.

Here belongs telling an incident's begin from its end; whom to tell, and how, is in `messages`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from vp_pipeline.storage.address import plain
from vp_pipeline.storage.connection import transaction

# Of each check the newest result, by number first: a month of results sorted is 75 MB of temporary files.
_CHECKS = """
SELECT asset_key, check_name, execution_status, evaluation_event FROM asset_check_executions WHERE id IN (
    SELECT max(id) FROM asset_check_executions WHERE execution_status IN ('SUCCEEDED', 'FAILED')
    GROUP BY asset_key, check_name)"""
# Of each job the newest run that has ended.
_RUNS = """
SELECT DISTINCT ON (pipeline_name) pipeline_name, status, run_id FROM runs
WHERE status IN ('SUCCESS', 'FAILURE') AND update_timestamp > now() AT TIME ZONE 'UTC' - interval '3 days'
ORDER BY pipeline_name, id DESC"""
_NEWEST_MINUTE = "SELECT max(end_time) FROM coverage_run WHERE state = 'got'"


@dataclass(frozen=True)
class News:
    """One incident that began or ended. `since`: when it was first seen."""

    kind: Literal["alert", "recovery"]
    incident: str
    text: str
    since: str


def of_dagster(url: str, warnings: bool, jobs: Iterable[str], checks: Iterable[str]) -> dict[str, str]:
    """What is wrong by incident: failing checks, severe ones or all, and jobs whose last run failed.

    Only the jobs and checks named, as `asset/key:check`: what was removed would stay wrong for ever.
    """
    wrong, known, own = {}, set(checks), set(jobs)
    with transaction(plain(url)) as connection:
        for asset, check, status, event in connection.execute(_CHECKS).fetchall():
            name = f"{'/'.join(json.loads(asset))}:{check}"
            if name in known and status == "FAILED":
                severe, said = _evaluation(event)
                if severe or warnings:
                    wrong[f"check {name}"] = said
        for job, status, run_id in connection.execute(_RUNS).fetchall():
            if job in own and status == "FAILURE":
                wrong[f"job {job}"] = f"run {run_id} failed"
    return wrong


def of_minutes(url: str, now: datetime, patience: timedelta) -> dict[str, str]:
    """Whether all markets together are stale: no check says so when nothing runs."""
    with transaction(url) as connection:
        row = connection.execute(_NEWEST_MINUTE).fetchone()
    newest = None if row is None else row[0]
    if newest is None or now - newest <= patience:
        return {}
    minutes = (now - newest) // timedelta(minutes=1)
    return {
        "minutes": f"the newest minute of any market ended at {newest:%Y-%m-%d %H:%M} UTC, {minutes} min ago"
    }


def news(
    before: Mapping[str, str], wrong: Mapping[str, str], now: datetime
) -> tuple[dict[str, str], list[News]]:
    """The incidents that are open now, each with its begin, and what changed since `before`."""
    moment = now.astimezone(UTC).isoformat(timespec="seconds")
    still = {incident: before.get(incident, moment) for incident in wrong}
    told = [News("alert", name, wrong[name], moment) for name in sorted(wrong.keys() - before.keys())]
    over = [
        News("recovery", name, "in order again", before[name])
        for name in sorted(before.keys() - wrong.keys())
    ]
    return still, [*told, *over]


def _evaluation(event: str | None) -> tuple[bool, str]:
    """Severity and description, from Dagster's record of the evaluation."""
    parsed: Any = json.loads(event or "{}")
    data = ((parsed.get("dagster_event") or {}).get("event_specific_data")) or {}
    severity = data.get("severity") or {}
    name = severity.get("__enum__", "") if isinstance(severity, dict) else str(severity)
    return not name.endswith("WARN"), data.get("description") or "failed"
