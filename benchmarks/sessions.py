"""Session labels and groups: our way against the document's, as ratios in one run.

Five symbols with three years of 5-minute bars. The document turns each open time into a datetime, maps a
function over them for the session, and filters the frame once for each group and figure; we look sessions up
and add everything up in one pass. Its weekday and its scaling are replaced by right ones in both, as numbers
shall be compared: they are the same to 1e-12, or this fails.

Run it with `python benchmarks/sessions.py`; it prints a Markdown table. `--years 0.1` for a quick look.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from claims import Ratio, tell
from matplotlib.cbook import boxplot_stats

from vp_pipeline.analytics.bar_returns import WEEKDAYS, BarReturns, returns_pct
from vp_pipeline.analytics.session_hours import SESSIONS, session_codes
from vp_pipeline.analytics.session_sums import daily_sums
from vp_pipeline.analytics.sessions import describe, table_of

BAR = pd.Timedelta(minutes=5)
SYMBOLS = 5
NAMES = list(SESSIONS)
SAME = 1e-12
GOALS = {"session of each bar": 150.0, "end to end": 60.0, "end to end, with quartiles and whiskers": 60.0}
GOAL_YEARS = 3
FIRST_WEEKDAY = 5  # 2021-01-01 was a Friday

Frames = list[pd.DataFrame]


def klines(seed: int, years: float) -> pd.DataFrame:
    """Bars as an exchange hands them over, times in milliseconds."""
    rng = np.random.default_rng(seed)
    count = int(years * 365 * 288)
    close = 100 * np.exp(rng.normal(0, 0.002, count).cumsum())
    volume = rng.gamma(2, 10, count)
    return pd.DataFrame(
        {
            "open_time": 1_609_459_200_000.0 + 300_000.0 * np.arange(count),
            "open": np.concatenate(([100.0], close[:-1])),
            "close": close,
            "volume": volume,
            "trades": rng.integers(1, 50, count).astype(float),
            "taker_buy_volume": volume * rng.uniform(0.4, 0.6, count),
        }
    )


def session_of(moment: datetime) -> str:
    """The document's function, one moment at a time."""
    for name, (start, end) in SESSIONS.items():
        if start <= moment.hour < end or (end < start and (moment.hour >= start or moment.hour < end)):
            return name
    raise AssertionError(moment)


def document_labels(frame: pd.DataFrame) -> pd.DataFrame:
    """Session and weekday of each bar, by python's map; the weekday from the row, right for whole days."""
    moments = list(map(moment_of, frame["open_time"]))
    frame = frame.assign(open_time=moments)
    week = list((frame.index + FIRST_WEEKDAY * 288) // 288 % 7)
    return frame.assign(week=week, session=list(map(session_of, frame["open_time"])))


def moment_of(milliseconds: float) -> datetime:
    """Of Unix time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def document_groups(frame: pd.DataFrame) -> dict[tuple[int, str], list[float]]:
    """Volatility of a bar, mean volume, taker share, volume per trade of each group, by filters."""
    frame = frame.assign(change=frame["close"].pct_change() * 100)
    first = frame.index[0]
    frame.loc[first, "change"] = (frame["close"][first] - frame["open"][first]) / frame["open"][first] * 100
    frame = frame[frame["change"] < 20]
    groups: dict[tuple[int, str], pd.Series] = {}
    for day in range(7):
        groups[day, ""] = frame["week"] == day
    for name in NAMES:
        groups[-1, name] = frame["session"] == name
    for day in range(7):
        for name in NAMES:
            groups[day, name] = (frame["session"] == name) & (frame["week"] == day)
    found = {(-1, ""): figures(frame, pd.Series(True, index=frame.index))}
    return found | {key: figures(frame, group) for key, group in groups.items()}


def figures(frame: pd.DataFrame, group: "pd.Series[bool]") -> list[float]:
    """One filter for each quantity, as the document does."""
    volume = float(np.average(frame[group]["volume"]))
    taken = float(np.average(frame[group]["taker_buy_volume"]))
    trades = float(np.average(frame[group]["trades"]))
    return [float(frame[group]["change"].std()), volume, taken / volume, volume / trades]


def document_boxes(frame: pd.DataFrame) -> list[Any]:
    """What its box plots compute."""
    change = frame["close"].pct_change() * 100
    parts = [change[frame["week"] == day].dropna() for day in range(7)]
    parts += [change[frame["session"] == name].dropna() for name in NAMES]
    return boxplot_stats([part.to_numpy() for part in parts])


def our_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Times as we store them."""
    times = frame["open_time"].to_numpy().astype(np.int64).view("datetime64[ms]")
    return frame.assign(open_time=pd.DatetimeIndex(times, tz="UTC"))


def our_groups(frame: pd.DataFrame) -> pd.DataFrame:
    """Labels, returns and all groups."""
    return describe(daily_sums(returns_pct(frame, BAR, gaps="document")))


def compare(ours: pd.DataFrame, theirs: dict[tuple[int, str], list[float]]) -> float:
    """The largest relative difference of any number."""
    columns = ["volatility_pct", "mean_volume", "taker_share", "volume_per_trade"]
    largest = 0.0
    for row in ours[ours["grouping"] != "quarter"].to_dict("records"):
        key = (WEEKDAYS.index(row["weekday"]) if row["weekday"] else -1, row["session"])
        for column, expected in zip(columns, theirs[key], strict=True):
            largest = max(largest, abs(row[column] / expected - 1))
    return largest


def passes(frames: Frames) -> float:
    """The limit: every number of the bars read once."""
    return sum(float(np.add.reduce(frame[name].to_numpy())) for frame in frames for name in frame)


def by_turns(ways: Sequence[Callable[[], object]], repeats: int) -> list[float]:
    """Medians of seconds."""
    taken: list[list[float]] = [[] for _ in ways]
    for _ in range(repeats):
        for times, way in zip(taken, ways, strict=True):
            start = time.perf_counter()
            way()
            times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in taken]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=float, default=3.0)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    raw = [klines(seed, options.years) for seed in range(SYMBOLS)]
    own = [our_frame(frame) for frame in raw]
    labelled = [document_labels(frame) for frame in raw]
    largest = max(
        compare(our_groups(ours), document_groups(theirs)) for ours, theirs in zip(own, labelled, strict=True)
    )
    indexes = [pd.DatetimeIndex(frame["open_time"]) for frame in own]
    returns: list[BarReturns] = [returns_pct(frame, BAR, gaps="document") for frame in own]
    rows = [
        (
            "session of each bar",
            lambda: [list(map(session_of, frame["open_time"])) for frame in labelled],
            lambda: [session_codes(times) for times in indexes],
        ),
        (
            "all groups of labelled bars",
            lambda: [document_groups(frame) for frame in labelled],
            lambda: [describe(daily_sums(part)) for part in returns],
        ),
        (
            "end to end",
            lambda: [document_groups(document_labels(frame)) for frame in raw],
            lambda: [our_groups(our_frame(frame)) for frame in raw],
        ),
        (
            "end to end, with quartiles and whiskers",
            lambda: [(document_groups(frame), document_boxes(frame)) for frame in map(document_labels, raw)],
            lambda: [table_of(returns_pct(our_frame(frame), BAR, gaps="document")) for frame in raw],
        ),
    ]
    print(f"{SYMBOLS} symbols, {len(raw[0]):,} bars each; largest relative difference {largest:.1e}\n")
    print("| | document's way | ours | ratio |\n|---|---:|---:|---:|")
    for name, theirs, ours in rows:
        fast, slow, limit = by_turns((ours, theirs, lambda: passes(raw)), options.repeats)
        goal = GOALS.get(name) if options.years >= GOAL_YEARS else None
        tell(
            Ratio(f"sessions: {name}", "the document's way", fast, slow, goal=goal),
            Ratio(f"sessions: {name}", "one pass over memory", fast, limit, kind="limit"),
        )
        print(f"| {name} | {slow * 1000:,.0f} ms | {fast * 1000:,.1f} ms | {slow / fast:,.0f} |", flush=True)
    if largest > SAME:
        raise SystemExit(f"the numbers differ by {largest:.1e}, more than {SAME:.0e}")


if __name__ == "__main__":
    main()
