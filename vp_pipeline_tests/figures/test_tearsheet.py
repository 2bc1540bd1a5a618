"""quantstats takes seconds, so the tests share two reports of the same returns."""

import logging
import re
import socket
import warnings
from collections.abc import Iterator

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.performance import performance
from vp_pipeline.figures.tearsheet import quantstats_html

DAYS = pd.date_range("2021-01-01", "2023-06-30", tz="UTC")
OWN = pd.Series(np.random.default_rng(1).normal(0.002, 0.03, len(DAYS)), DAYS, name="mean_reversion")
OTHER = pd.Series(np.random.default_rng(2).normal(0.001, 0.02, len(DAYS)), DAYS, name="volatility_weight")


@pytest.fixture(scope="module")
def without_network() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("a tearsheet reached for the network")

        patch.setattr(socket, "create_connection", refuse)
        patch.setattr(socket.socket, "connect", refuse)
        yield


@pytest.fixture(scope="module")
def logged() -> Iterator[list[str]]:
    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("matplotlib").addHandler(handler)
    yield messages
    logging.getLogger("matplotlib").removeHandler(handler)


@pytest.fixture(scope="module")
def reports(without_network: None, logged: list[str]) -> tuple[str, str]:  # noqa: ARG001  # for their effect
    before = dict(matplotlib.rcParams)
    filters, figures, backend = list(warnings.filters), pyplot.get_fignums(), matplotlib.get_backend()
    made = quantstats_html(OWN, OTHER, "Mean & reversion"), quantstats_html(OWN, OTHER, "Mean & reversion")
    assert dict(matplotlib.rcParams) == before
    assert (list(warnings.filters), pyplot.get_fignums()) == (filters, figures)
    assert matplotlib.get_backend() == backend
    assert not pd.plotting.plot_params["x_compat"]
    return made


def test_the_same_returns_are_the_same_bytes(reports: tuple[str, str]) -> None:
    assert reports[0] == reports[1]


def test_nothing_is_linked_or_loaded(reports: tuple[str, str]) -> None:
    document = reports[0]
    # The names of two XML namespaces are no addresses.
    assert set(re.findall(r"https?://[^\"'<> )]+", document)) <= {
        "http://www.w3.org/1999/xlink",
        "http://www.w3.org/2000/svg",
    }
    assert not re.search(r"<(script|a|img|iframe)\b|@import|url\((?!#)", document)
    assert re.findall(r"<link[^>]*>", document) == ['<link rel="icon" href="data:,">']
    assert not re.search(r"onload|<metadata|<dc:date", document)


def test_the_title_is_ours_and_all_pictures_are_there(reports: tuple[str, str]) -> None:
    document = reports[0]
    assert document.startswith("<!DOCTYPE html>")
    assert "<title>Mean &amp; reversion</title>" in document
    assert document.count("<svg ") == 14
    assert "mean_reversion" in document
    assert "volatility_weight" in document
    assert "{{" not in document


def test_the_figures_are_annualised_with_365_days(reports: tuple[str, str]) -> None:
    cells = re.findall(r"<td>(.*?)</td>", reports[0])
    assert "Periods/Year: 365" in reports[0]
    expected = performance(OWN)
    for name, value in (
        ("CAGR", expected.cagr),
        ("Volatility (ann.)", expected.volatility),
        ("Max Drawdown", expected.max_drawdown),
    ):
        shown = cells[cells.index(name) + 2].replace(",", "").rstrip("%")
        assert float(shown) == pytest.approx(100 * value, abs=0.0051), name
    for name, value in (("Sharpe", expected.sharpe), ("Sortino", expected.sortino)):
        assert float(cells[cells.index(name) + 2]) == pytest.approx(value, abs=0.0051), name


def test_every_year_stands_under_its_own_bars(reports: tuple[str, str]) -> None:
    """With a date axis the first bar stood over the second year, and one label less was drawn."""
    chart = reports[0].split('<div id="eoy_returns">')[1].split('<div id="monthly_dist">')[0]
    drawn = re.findall(r'<g id="xtick_(\d)">.*?<!-- (\d{4}) -->', chart, flags=re.DOTALL)
    assert drawn == [("1", "2021"), ("2", "2022"), ("3", "2023")]


def test_nothing_is_logged(reports: tuple[str, str], logged: list[str]) -> None:
    assert reports[0]
    assert logged == []


def test_unusable_returns_are_named() -> None:
    with pytest.raises(NotEnoughData, match="a tearsheet needs 2 days of both returns, got 1"):
        quantstats_html(OWN, OTHER.iloc[:1], "t")
    with pytest.raises(ValueError, match="mean_reversion: a return is missing or infinite"):
        quantstats_html(OWN.where(OWN > 0), OTHER, "t")
    with pytest.raises(ValueError, match="both named 'mean_reversion'"):
        quantstats_html(OWN, OTHER.rename("mean_reversion"), "t")
    with pytest.raises(ValueError, match="volatility_weight: quantstats would take these for prices"):
        quantstats_html(OWN, OTHER.abs() * 100, "t")
