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
from vp_pipeline.analytics.strategies import DAYS_PER_YEAR

MIN_DAYS = 2

_KNOWN_WARNINGS: tuple[tuple[str, type[Warning], str], ...] = (
    # quantstats 0.0.86 was written for pandas 2 ...
    (r"The inplace keyword in DataFrame\.\w+ is deprecated", Warning, r"quantstats\."),
    (r"set_ticklabels\(\) should only be used with a fixed number of ticks", UserWarning, r"quantstats\."),
    # ... and seaborn for Matplotlib before 3.11.
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
        NotEnoughData: fewer than `MIN_DAYS` days in common.
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
            benchmark_title=str(benchmark.name or "Benchmark"),
            periods_per_year=DAYS_PER_YEAR,
            output=str(output),
        )
        document = output.read_text(encoding="utf-8")
    return _self_contained(document, title)


def _aligned(returns: pd.Series, benchmark: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Both on the days they share, without a time zone, which quantstats refuses."""
    days = returns.index.intersection(benchmark.index).sort_values()
    if len(days) < MIN_DAYS:
        raise NotEnoughData(f"a tearsheet needs {MIN_DAYS} days of both returns, got {len(days)}")
    index = pd.DatetimeIndex(days).tz_localize(None)
    pair = tuple(series[days].astype(float).set_axis(index) for series in (returns, benchmark))
    for series in pair:
        if not series.abs().lt(float("inf")).all():
            raise ValueError(f"{series.name}: a return is missing or infinite")
    return pair[0], pair[1]


def _seaborn_theme() -> None:
    import seaborn  # type: ignore[import-untyped]  # has no annotations

    seaborn.set_theme(font_scale=1.1, rc=_THEME)


@contextmanager
def _plain_matplotlib() -> Iterator[None]:
    """Matplotlib without a screen and with its defaults; afterwards as it was, with no figure left open."""
    import matplotlib
    from matplotlib import pyplot

    backend, open_before = matplotlib.get_backend(), set(pyplot.get_fignums())
    with matplotlib.rc_context():
        pyplot.switch_backend("agg")
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
    """Without links, dates of making and XML prologues; with a title of its own, and readable when dark."""
    # quantstats puts a comment first, which browsers take for a page without a doctype.
    document = document[document.index("<!DOCTYPE html>") :]
    document = re.sub(r"<metadata>.*?</metadata>", "", document, flags=re.DOTALL)
    document = re.sub(
        r"<\?xml.*?\?>|<!DOCTYPE svg.*?>|<!-- Created with .*?-->", "", document, flags=re.DOTALL
    )
    document = re.sub(r"<link [^>]*>", '<link rel="icon" href="data:,">', document)
    document = re.sub(r"<a [^>]*>(.*?)</a>", r"\1", document, flags=re.DOTALL)
    document = re.sub(r"<title>.*?</title>", lambda _: f"<title>{escape(title)}</title>", document, count=1)
    document = document.replace(' onload="save()"', "")
    return document.replace("</head>", f"<style>{_STYLE}</style>\n</head>", 1)


_STYLE = """
h1 dt { display: block; margin: 4px 0 0; }
@media (max-width: 1000px) {
  body { margin: 14px; }
  #left, #right { float: none; width: 100%; margin-right: 0; }
  #right { overflow-x: auto; }
}
"""
