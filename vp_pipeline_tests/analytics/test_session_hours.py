from datetime import datetime
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from vp_pipeline.analytics.session_hours import EXCHANGES, HOURS, SESSIONS, Preset, session_codes

NAMES = list(SESSIONS)


def sessions(times: pd.DatetimeIndex, preset: Preset) -> list[str]:
    return [NAMES[code] for code in session_codes(times, preset)]


def at(time: str) -> str:
    return sessions(pd.DatetimeIndex([pd.Timestamp(time, tz="UTC")]), "exchange")[0]


def by_place(time: datetime) -> str:
    """The session from each place's clock, hour by hour."""
    is_open = {
        name: start <= time.astimezone(ZoneInfo(zone)).hour < end
        for name, (zone, start, end) in EXCHANGES.items()
    }
    return {
        (False, False, False): "OTHERS",
        (True, False, False): "AS",
        (True, True, False): "ASEU",
        (False, True, False): "EU",
        (False, True, True): "EUNA",
        (False, False, True): "NA",
    }[is_open["AS"], is_open["EU"], is_open["NA"]]


def test_every_hour_of_three_years_is_that_of_the_local_clocks() -> None:
    times = pd.date_range("2023-01-01", "2026-01-01", freq="30min", tz="UTC")
    assert sessions(times, "exchange") == [by_place(time.to_pydatetime()) for time in times]


@pytest.mark.parametrize(
    ("time", "session"),
    [
        # Winter: London 8-17, New York 13-22 UTC.
        ("2024-03-08 12:59", "EU"),
        ("2024-03-08 13:00", "EUNA"),
        ("2024-03-08 16:59", "EUNA"),
        ("2024-03-08 17:00", "NA"),
        ("2024-03-08 21:59", "NA"),
        ("2024-03-08 22:00", "OTHERS"),
        # America changed on 10 March, Europe not yet: New York 12-21, London 8-17 UTC.
        ("2024-03-11 11:59", "EU"),
        ("2024-03-11 12:00", "EUNA"),
        ("2024-03-11 16:59", "EUNA"),
        ("2024-03-11 20:59", "NA"),
        ("2024-03-11 21:00", "OTHERS"),
        ("2024-03-29 07:59", "AS"),
        ("2024-03-29 08:00", "ASEU"),
        # Europe changed on 31 March: London 7-16 UTC.
        ("2024-04-01 06:59", "AS"),
        ("2024-04-01 07:00", "ASEU"),
        ("2024-04-01 08:59", "ASEU"),
        ("2024-04-01 09:00", "EU"),
        ("2024-04-01 15:59", "EUNA"),
        ("2024-04-01 16:00", "NA"),
        # Europe changed back on 27 October, America on 3 November.
        ("2024-10-25 16:00", "NA"),
        ("2024-10-28 16:00", "EUNA"),
        ("2024-10-28 12:00", "EUNA"),
        ("2024-11-01 21:00", "OTHERS"),
        ("2024-11-04 12:00", "EU"),
        ("2024-11-04 21:00", "NA"),
        # The days of the changes themselves.
        ("2024-03-10 12:00", "EUNA"),
        ("2024-03-31 07:00", "ASEU"),
        ("2024-10-27 07:00", "AS"),
        ("2024-11-03 12:00", "EU"),
        # Tokyo never changes.
        ("2024-07-01 00:00", "AS"),
        ("2024-01-01 00:00", "AS"),
        ("2024-01-01 23:59", "OTHERS"),
    ],
)
def test_sessions_around_the_changes_of_the_clocks(time: str, session: str) -> None:
    assert at(time) == session


def test_document_hours_do_not_follow_the_clocks() -> None:
    winter, summer = (
        pd.date_range(day, periods=24, freq="h", tz="UTC") for day in ("2024-01-15", "2024-07-15")
    )
    assert sessions(winter, "document") == sessions(summer, "document")
    assert sessions(winter, "exchange") != sessions(summer, "exchange")


def test_every_session_has_a_label() -> None:
    assert [list(labels) for labels in HOURS.values()] == [NAMES, NAMES]


def test_an_unknown_preset_is_named() -> None:
    unknown: Preset = "fixed"  # type: ignore[assignment]  # what a caller may write all the same
    with pytest.raises(ValueError, match="unknown preset 'fixed': use document or exchange"):
        session_codes(pd.DatetimeIndex([], tz="UTC"), unknown)
