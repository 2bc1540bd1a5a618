"""The sensor that tells people what has begun to be wrong, once, and when it is over.

Here belongs its state, in the cursor: incidents that are open, and messages that nobody has taken yet. What
is wrong is found in `upkeep.incidents`, delivery is in `upkeep.messages`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dagster import (
    DefaultSensorStatus,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    sensor,
)

from vp_pipeline.settings import Settings

if TYPE_CHECKING:
    from vp_pipeline.upkeep import messages

INTERVAL_SECONDS = 300
# A message that nobody took for so long is no news any more, and the cursor must not grow.
_MOST_PENDING = 100


def build_alerts(settings: Settings, jobs: Sequence[str], checks: Sequence[str]) -> SensorDefinition:
    """The sensor `alerts`, about these jobs and checks (`asset/key:check`)."""

    @sensor(
        name="alerts",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description="One alert when a check fails, a job fails or minutes are stale, and one when that is"
        " over: to the log, and to a webhook or by e-mail if configured.",
    )
    def alerts(context: SensorEvaluationContext) -> SensorResult:
        now = datetime.now(UTC)
        cursor, said = evaluate(settings, jobs, checks, context.cursor, now, context.log.warning)
        return SensorResult(cursor=cursor, skip_reason=said)

    return alerts


def evaluate(
    settings: Settings,
    jobs: Sequence[str],
    checks: Sequence[str],
    cursor: str | None,
    now: datetime,
    log: Callable[[str], None],
) -> tuple[str, str]:
    """Look, tell what is new, and what could not be delivered before; the next cursor and a summary."""
    from vp_pipeline.upkeep import incidents, messages
    from vp_pipeline.upkeep.databases import DAGSTER, OWN, addresses

    state = json.loads(cursor) if cursor else {"open": {}, "pending": []}
    urls = addresses(settings.database_url.get_secret_value(), settings.dagster_database_url)
    wrong = incidents.of_dagster(urls[DAGSTER], settings.alert_warnings, jobs, checks)
    if settings.source != "replay":
        wrong |= incidents.of_minutes(urls[OWN], now, timedelta(minutes=settings.alert_stale_minutes))
    still, news = incidents.news(state["open"], wrong, now)
    for each in news:
        log(f"{each.kind}: {each.incident}: {each.text}")
    channels = _channels(settings)
    pending = [*state["pending"], *([name, asdict(each)] for each in news for name in channels.names)]
    left, dead = [], {}
    for name, fields in pending:
        try:
            if name not in dead:
                messages.send(channels, name, incidents.News(**fields))
                continue
        except messages.DeliveryError as error:
            dead[name] = str(error)  # the rest of this channel waits for the next time too
        left.append([name, fields])
    for reason in dead.values():
        log(f"not delivered, tried again later: {reason}")
    summary = f"{len(still)} incidents are open" + "".join(f"; {name}" for name in sorted(still))
    return json.dumps({"open": still, "pending": left[-_MOST_PENDING:]}), summary


def _channels(settings: Settings) -> "messages.Channels":
    from vp_pipeline.upkeep import messages

    webhook, smtp = settings.alert_webhook, settings.alert_smtp_url
    return messages.Channels(
        webhook=None if webhook is None else webhook.get_secret_value(),
        email=settings.alert_email,
        smtp=None if smtp is None else smtp.get_secret_value(),
        label=f"vp-pipeline ({settings.label})" if settings.label else "vp-pipeline",
        link=str(settings.dagster_url),
    )
