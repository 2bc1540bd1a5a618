"""Rolling, annualised volatility of a series of bars.

Here belong the estimators; volatility by weekday and session is in `sessions`.

With O, H, L, C of a bar, n bars in the window and N bars a year, variance a year is (ln throughout)

- close-to-close: N times the variance (n - 1) of r = ln(C / previous C);
- realized-variance: N / n times the sum of r^2;
- parkinson (1980): N / (4 n ln 2) times the sum of ln(H/L)^2;
- garman-klass (1980): N / n times the sum of ln(H/L)^2 / 2 - (2 ln 2 - 1) ln(C/O)^2;
- rogers-satchell (1991): N / n times the sum of ln(H/C) ln(H/O) + ln(L/C) ln(L/O);
- yang-zhang (2000): s_o + k s_c + (1 - k) rogers-satchell, with s_o and s_c N times the variance (n - 1) of
  ln(O / previous C) and of ln(C/O), and k = 0.34 / (1.34 + (n + 1) / (n - 1)).

So n counts observations: with returns from the close before the first value belongs to the bar n + 1. R's TTR
counts n closes for close-to-close, which are n - 1 returns; its other estimators agree with these.

A bar counts as one observation if something was traded in it. A filled bar (volume 0, all four prices equal)
is none, as if it were missing. Estimators that look at the previous close have no observation in the first
bar, nor in one that follows a filled or missing bar: that return spans more than one bar. So the same market
gives the same volatility whether its quiet bars were filled or left out, and neither is a return of zero.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from vp_pipeline.analytics.price_rows import Floats

_Bools = npt.NDArray[np.bool_]

_GAP = 1.5
"""Bars that open further apart than this many lengths have one missing between them; months vary less."""


@dataclass(frozen=True)
class Estimator:
    """`columns` it reads; `previous` says whether it looks at the bar before; `least` bars make a window."""

    columns: tuple[str, ...]
    previous: bool
    least: int
    variance: Callable[[pd.DataFrame, int], pd.Series]


@dataclass(frozen=True, eq=False)
class Volatility:
    """`values` as fractions a year, one for each bar, NaN until the window is full.

    `filled` bars were left out; `gaps` bars follow a missing one.
    """

    values: Floats
    filled: int
    gaps: int


def rolling_volatility(
    bars: pd.DataFrame,
    estimator: str,
    window: int,
    periods_per_year: float,
    bar: pd.Timedelta | None = None,
) -> Volatility:
    """Volatility over the latest `window` observations up to each bar.

    Args:
        bars: in order of time; the columns the estimator reads, open_time if gaps shall be seen, and open,
            high, low, close, volume if filled bars shall be.
        estimator: one of ESTIMATORS.
        window: observations in a window.
        periods_per_year: bars in a year; 365 for days of a market that never closes.
        bar: length of a bar, needed to see gaps in open_time.

    Raises:
        ValueError: unknown estimator, a window too short for it, periods that are not positive, a price that
            is missing or not positive.
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"unknown estimator {estimator!r}: use one of {', '.join(ESTIMATORS)}")
    rule = ESTIMATORS[estimator]
    if window < rule.least:
        raise ValueError(f"{estimator} needs a window of {rule.least} or more, got {window}")
    if not (np.isfinite(periods_per_year) and periods_per_year > 0):
        raise ValueError(f"periods per year must be a positive number, got {periods_per_year}")
    prices = bars[list(rule.columns)].astype(np.float64).reset_index(drop=True)
    if not (prices > 0).all(axis=None) or not np.isfinite(prices.to_numpy()).all():
        raise ValueError(f"{estimator} needs a positive {', '.join(rule.columns)} in every bar")
    filled, gap = _filled(bars), _gap(bars, bar)
    observed = ~filled
    logs = pd.DataFrame(np.log(prices.to_numpy()), columns=list(rule.columns))
    if rule.previous:
        logs["previous"] = logs["close"].shift()
        observed &= ~gap & ~np.concatenate(([True], filled[:-1]))
    variance = rule.variance(logs[observed], window) * periods_per_year
    latest = variance.reindex(logs.index).ffill()
    # The sums are never negative but for rounding.
    return Volatility(np.sqrt(latest.clip(lower=0)).to_numpy(), int(filled.sum()), int(gap.sum()))


def _filled(bars: pd.DataFrame) -> _Bools:
    needed = ("open", "high", "low", "close", "volume")
    if any(name not in bars for name in needed):
        return np.zeros(len(bars), dtype=np.bool_)
    opened = bars["open"]
    still = (bars["high"] == opened) & (bars["low"] == opened) & (bars["close"] == opened)
    return (still & (bars["volume"] == 0)).to_numpy()


def _gap(bars: pd.DataFrame, bar: pd.Timedelta | None) -> _Bools:
    if bar is None or "open_time" not in bars:
        return np.zeros(len(bars), dtype=np.bool_)
    return (bars["open_time"].diff() > _GAP * bar).to_numpy()


def _mean(values: pd.Series, window: int) -> pd.Series:
    mean: pd.Series = values.rolling(window).mean()
    return mean


def _variance(values: pd.Series, window: int) -> pd.Series:
    variance: pd.Series = values.rolling(window).var(ddof=1)
    return variance


def _close_to_close(log: pd.DataFrame, window: int) -> pd.Series:
    return _variance(log["close"] - log["previous"], window)


def _realized(log: pd.DataFrame, window: int) -> pd.Series:
    return _mean((log["close"] - log["previous"]).pow(2), window)


def _parkinson(log: pd.DataFrame, window: int) -> pd.Series:
    return _mean((log["high"] - log["low"]).pow(2) / (4 * np.log(2)), window)


def _garman_klass(log: pd.DataFrame, window: int) -> pd.Series:
    of_range = 0.5 * (log["high"] - log["low"]).pow(2)
    of_body = (2 * np.log(2) - 1) * (log["close"] - log["open"]).pow(2)
    return _mean(of_range - of_body, window)


def _rogers_satchell(log: pd.DataFrame, window: int) -> pd.Series:
    opened, high, low, close = (log[name] for name in ("open", "high", "low", "close"))
    return _mean((high - close) * (high - opened) + (low - close) * (low - opened), window)


def _yang_zhang(log: pd.DataFrame, window: int) -> pd.Series:
    k = 0.34 / (1.34 + (window + 1) / (window - 1))
    overnight = _variance(log["open"] - log["previous"], window)
    open_to_close = _variance(log["close"] - log["open"], window)
    return overnight + k * open_to_close + (1 - k) * _rogers_satchell(log, window)


_OHLC = ("open", "high", "low", "close")

ESTIMATORS: Mapping[str, Estimator] = MappingProxyType(
    {
        "close-to-close": Estimator(("close",), True, 2, _close_to_close),
        "parkinson": Estimator(("high", "low"), False, 1, _parkinson),
        "garman-klass": Estimator(_OHLC, False, 1, _garman_klass),
        "rogers-satchell": Estimator(_OHLC, False, 1, _rogers_satchell),
        "yang-zhang": Estimator(_OHLC, True, 2, _yang_zhang),
        "realized-variance": Estimator(("close",), True, 1, _realized),
    }
)
