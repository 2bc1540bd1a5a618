"""The page of a strategy, alone and with quantstats' report, as text and in a browser."""

import re
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest

from vp_pipeline.analytics.assessment import Assessment, assess
from vp_pipeline.analytics.backtest import Backtest, backtest
from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.sharpe_significance import Trials
from vp_pipeline.analytics.strategies import STRATEGIES
from vp_pipeline.figures.page import inline
from vp_pipeline.figures.preview import LONGEST, preview_markdown
from vp_pipeline.figures.strategy_page import StrategyPage
from vp_pipeline.figures.tearsheet import quantstats_html
from vp_pipeline.figures.two_reports import with_quantstats, without_quantstats
from vp_pipeline.site.headers import ARTIFACT_POLICY
from vp_pipeline_tests.analytics.histories import bars_history
from vp_pipeline_tests.browsers import chromium

SAID = "It does not look ahead: no weight changed when the days to come did."


@pytest.fixture(scope="module")
def made() -> tuple[StrategyPage, Assessment, Backtest, pd.Series]:
    history = bars_history(500, seed=3)
    runs = {key: backtest(one.weights(history), history.returns, 7) for key, one in STRATEGIES.items()}
    tested, benchmark = runs["mean_reversion"], runs["equal_weight"].net.rename("equal_weight")
    found = assess(tested, benchmark, Trials.among(one.net for one in runs.values()))
    costs = {str(symbol): 7.0 for symbol in history.returns}
    page = StrategyPage(STRATEGIES["mean_reversion"], found, tested, benchmark, costs, SAID, "RECORDED DATA")
    return page, found, tested, benchmark


@pytest.fixture(scope="module")
def whole(made: tuple[StrategyPage, Assessment, Backtest, pd.Series]) -> str:
    page, _, tested, benchmark = made
    report = quantstats_html(tested.net.rename("mean_reversion"), benchmark, "Mean reversion")
    return with_quantstats(page.render(), report, "After costs.")


def test_the_verdict_comes_first_and_its_figures_are_the_found_ones(
    made: tuple[StrategyPage, Assessment, Backtest, pd.Series],
) -> None:
    page, found, _, _ = made
    html = page.render()
    assert html == page.render(), "the same page is the same bytes"
    body = unescape(html[html.index("<body>") :])
    words = [
        "RECORDED DATA",
        "evidence of skill",
        SAID,
        "Growth a year",
        "Growth of 1",
        "Key figures",
        "<h2>Costs</h2>",
    ]
    places = [body.lower().index(word.lower()) for word in words]
    assert places == sorted(places)
    for reason in (*found.evidence.against, *found.evidence.favour):
        assert reason in body
    for shown in (
        f"{found.net.cagr:,.1%}".replace("%", " %"),
        f"{found.net.sharpe:.2f}",
        f"{found.intervals.sharpe[0]:.2f} to {found.intervals.sharpe[1]:.2f}",
        f"{found.break_even_bps:,.2f} bps",
        "7.00 bps assumed",
        f"{found.trials} variants were tried",
    ):
        assert shown in body, shown


def test_what_is_undefined_is_a_dash_and_nothing_warns() -> None:
    returns = pd.DataFrame({"A": [0.0] * 5}, pd.date_range("2024-01-01", periods=5))
    tested = backtest(returns * 0, returns)
    found = assess(tested, returns["A"], Trials.among([tested.net]))
    page = StrategyPage(
        STRATEGIES["equal_weight"], found, tested, returns["A"], {"A": 7.0}, SAID, None
    ).render()
    assert "nan" not in page[page.index("<body>") :].replace("tenant", "").lower().split("<script>")[0]
    with pytest.raises(NotEnoughData, match="own never moves"):
        quantstats_html(tested.net.rename("own"), returns["A"], "t")
    assert "There is none: it never moves." in without_quantstats(page, "There is none: it never moves.")


def test_quantstats_report_is_inside_whole_and_nothing_is_loaded(whole: str) -> None:
    (framed,) = re.findall(r'srcdoc="(.*?)"', whole, re.DOTALL)
    report = unescape(framed)
    assert report.count("<svg ") == 14
    assert "Periods/Year: 365" in report
    assert not re.search(r'(?:src|href)="(?!data:|#)', report.replace("xlink:href", ""))
    outside = whole.replace(framed, "")
    assert not re.search(r'(?:src|href)="(?!data:)', outside)
    assert whole.endswith("</html>\n")


@contextmanager
def served(document: str) -> Iterator[str]:
    """The document under the policy with which the site serves artifacts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-security-policy", ARTIFACT_POLICY)
            self.end_headers()
            self.wfile.write(document.encode())

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.browser
@pytest.mark.parametrize("size", [(1366, 768), (390, 844)], ids=["laptop", "phone"])
def test_it_is_read_in_a_browser_that_reaches_nothing(whole: str, size: tuple[int, int]) -> None:
    complaints: list[str] = []
    requested: list[str] = []
    with served(inline(whole)) as address, chromium() as browser:
        page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requested.append(request.url))
        page.goto(address)
        page.wait_for_function("parseInt(document.getElementById('quantstats').style.height) > 2000")
        width = page.evaluate("document.documentElement.scrollWidth")
        first = page.locator(".verdict h2").bounding_box()
        drawn = page.locator(".main-svg").count()
        cells = page.frame_locator("#quantstats").locator("td").count()
    assert complaints == []
    assert [url for url in requested if url not in (address, "about:srcdoc")] == []
    assert width <= size[0]
    assert first is not None
    assert first["y"] < 300, "the verdict is the first thing seen"
    assert drawn > 0
    assert cells > 100


def test_the_preview_is_a_picture_short_enough_to_be_shown() -> None:
    dates = pd.date_range("2021-01-01", periods=2000)
    rng = np.random.default_rng(1)
    wild, calm = (pd.Series(rng.normal(0.003, size, 2000), dates) for size in (0.05, 0.01))
    text = preview_markdown(wild, calm)
    assert len(text) < LONGEST
    svg = b64decode(text.partition("base64,")[2].rstrip(")")).decode()
    lines = re.findall(r"points='([^']*)'", svg)
    assert len(lines) == 2
    points = [tuple(map(int, point.split(","))) for line in lines for point in line.split()]
    assert {y for _, y in points} <= set(range(1, 40))
    assert min(y for _, y in points) == 1
    flat = preview_markdown(wild * 0, calm * 0)
    assert "nan" not in b64decode(flat.partition("base64,")[2].rstrip(")")).decode()
