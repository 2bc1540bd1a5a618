"""quantstats' full report on a strategy against a benchmark.

Here belongs making that report fit to keep: complete without a network, the same bytes for the same
returns, and no trace left in the process. What it says is quantstats'.
"""

import logging
import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

import pandas as pd

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.performance import DAYS_PER_YEAR
from vp_pipeline.figures import theme

MIN_DAYS = 2

_KNOWN_WARNINGS: tuple[tuple[str, type[Warning], str], ...] = (
    # quantstats 0.0.86 was written for pandas 2, seaborn 0.13 for Matplotlib before 3.11.
    (r"The inplace keyword in DataFrame\.\w+ is deprecated", Warning, r"quantstats\."),
    (r"vert: bool was deprecated in Matplotlib 3\.11", Warning, r"seaborn\."),
    (r"The set_bad function will be deprecated", PendingDeprecationWarning, r"seaborn\."),
)

# quantstats sets this when it is first imported; set here it also holds the second time.
_THEME = {
    "figure.figsize": (10, 6),
    "axes.facecolor": "white",
    "figure.facecolor": "white",
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.5,
    "text.color": "#333333",
    "xtick.color": "#666666",
    "ytick.color": "#666666",
    # Names inside an SVG are random without it.
    "svg.hashsalt": "vp-pipeline",
}


def quantstats_html(returns: pd.Series, benchmark: pd.Series, title: str) -> str:
    """The report as one HTML document, annualised with 365 days.

    Args:
        returns: daily returns of the strategy as fractions, indexed by day; the days both have are used.
        benchmark: daily returns of the benchmark, named as it shall be called.
        title: of the document.

    Raises:
        NotEnoughData: fewer than `MIN_DAYS` days in common, or returns that are all the same.
        ValueError: a return is missing or infinite.
    """
    own, other = _aligned(returns, benchmark)
    with _quiet(), _plain_matplotlib(), tempfile.TemporaryDirectory() as folder:
        from quantstats import reports

        _seaborn_theme()
        output = Path(folder) / "tearsheet.html"
        reports.html(  # type: ignore[no-untyped-call]  # quantstats annotates little
            own,
            other,
            title=escape(title),
            strategy_title=own.name,
            benchmark_title=other.name,
            periods_per_year=DAYS_PER_YEAR,
            output=str(output),
        )
        document = output.read_text(encoding="utf-8")
    return _self_contained(document, title)


def _aligned(returns: pd.Series, benchmark: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Both on the days they share, named, without a time zone, which quantstats refuses."""
    days = returns.index.intersection(benchmark.index).sort_values()
    if len(days) < MIN_DAYS:
        raise NotEnoughData(f"a tearsheet needs {MIN_DAYS} days of both returns, got {len(days)}")
    index = pd.DatetimeIndex(days).tz_localize(None)
    own, other = (
        series[days].astype(float).set_axis(index).rename(str(series.name or fallback))
        for series, fallback in ((returns, "Strategy"), (benchmark, "Benchmark"))
    )
    if own.name == other.name:
        raise ValueError(f"strategy and benchmark are both named {own.name!r}")
    for series in (own, other):
        if series.nunique() == 1:
            raise NotEnoughData(f"{series.name} never moves: quantstats cannot report on it")
        if not series.abs().lt(float("inf")).all():
            raise ValueError(f"{series.name}: a return is missing or infinite")
        if series.min() >= 0 and series.max() > 1:
            raise ValueError(f"{series.name}: quantstats would take these for prices, as none falls below 0")
    return own, other


def _seaborn_theme() -> None:
    import seaborn  # type: ignore[import-untyped]  # has no annotations

    seaborn.set_theme(font_scale=1.1, rc=_THEME)


@contextmanager
def _plain_matplotlib() -> Iterator[None]:
    """Matplotlib without a screen and with its defaults; afterwards as it was, with no figure left open."""
    import matplotlib
    from matplotlib import pyplot

    from vp_pipeline.figures import no_screen

    backend, open_before = matplotlib.get_backend(), set(pyplot.get_fignums())
    # x_compat: with pandas 3 a bar chart of years has a date axis, and quantstats labels its ticks, not its
    # bars: each year's return stood over the next year.
    years_as_bars = pd.plotting.plot_params.use("x_compat", True)  # type: ignore[attr-defined]  # not a dict
    with matplotlib.rc_context(), years_as_bars:
        pyplot.switch_backend(f"module://{no_screen.__name__}")
        matplotlib.rcdefaults()
        try:
            yield
        finally:
            for number in set(pyplot.get_fignums()) - open_before:
                pyplot.close(number)
            pyplot.switch_backend(backend)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what is known and harmless in third-party code, by message and module, and nothing else."""

    def without_arial(record: logging.LogRecord) -> bool:
        return "Font family 'Arial' not found" not in record.getMessage()

    fonts = logging.getLogger("matplotlib.font_manager")
    fonts.addFilter(without_arial)
    try:
        with warnings.catch_warnings():
            for message, category, module in _KNOWN_WARNINGS:
                warnings.filterwarnings("ignore", message, category, module)
            yield
    finally:
        fonts.removeFilter(without_arial)


def _self_contained(document: str, title: str) -> str:
    """Without links, dates of making and XML prologues; with a title of its own, and readable on a phone."""
    # quantstats puts a comment first, which browsers take for a page without a doctype.
    document = document[document.index("<!DOCTYPE html>") :]
    document = re.sub(r"<metadata>.*?</metadata>", "", document, flags=re.DOTALL)
    document = re.sub(
        r"<\?xml.*?\?>|<!DOCTYPE svg.*?>|<!-- Created with .*?-->", "", document, flags=re.DOTALL
    )
    document = re.sub(r"<link [^>]*>", '<link rel="icon" href="data:,">', document)
    document = re.sub(r"<a [^>]*>(.*?)</a>", r"\1", document, flags=re.DOTALL)
    document = re.sub(r"<title>.*?</title>", lambda _: f"<title>{escape(title)}</title>", document, count=1)
    document = document.replace(' onload="save()"', "")  # there is no such function
    document = document.replace("\N{SMALL PERCENT SIGN}", "")  # a glyph few fonts have
    document = document.replace("#fedd78", theme.ORANGE.lower())  # the benchmark, pale on white
    return document.replace("</head>", f"<style>{_STYLE}</style>\n</head>", 1)


_STYLE = """
h1 dt { display: block; margin: 4px 0 0; }
#left svg, #monthly_heatmap svg { height: auto; margin: 0 0 1rem; }
#left { margin-top: 0; }
#right { overflow-x: auto; }
@media (min-width: 1001px) {
  .container { max-width: 1060px; }
  #right { width: 420px; }
}
@media (max-width: 1000px) {
  body { margin: 14px; }
  #left, #right { float: none; width: 100%; margin-right: 0; }
}
"""
