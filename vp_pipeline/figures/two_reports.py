"""Our page and quantstats' report in one document that opens without a network.

Here belongs the frame around quantstats' report; both are made elsewhere.
"""

from html import escape

# Told by the report itself, as the frame around it may not look inside.
_TELL_HEIGHT = """<script>
const tell = () => parent.postMessage({ tearsheet: document.documentElement.scrollHeight }, "*");
addEventListener("load", tell);
addEventListener("resize", tell);
</script>"""
_TAKE_HEIGHT = """<script>
addEventListener("message", event => {
  const frame = document.getElementById("quantstats");
  if (event.source === frame.contentWindow && Number.isFinite(event.data.tearsheet))
    frame.style.height = `${event.data.tearsheet + 4}px`;
});
</script>"""
_STYLE = """<style>
#quantstats { width: 100%; height: 85vh; border: 1px solid var(--line); background: #fff; }
</style>"""


def with_quantstats(page: str, report: str, said: str) -> str:
    """The page with the report at its end, under a heading and a sentence on what it is of.

    Args:
        page: a document of `figures.page`.
        report: a document of `figures.tearsheet`.
        said: plain text.
    """
    framed = report.replace("</body>", f"{_TELL_HEIGHT}</body>", 1)
    return _at_the_end(
        page,
        said,
        f'{_STYLE}{_TAKE_HEIGHT}\n<iframe id="quantstats" title="quantstats\' report"'
        f' srcdoc="{escape(framed)}"></iframe>',
    )


def without_quantstats(page: str, reason: str) -> str:
    """The page with the reason why there is no report."""
    return _at_the_end(page, reason, "")


def _at_the_end(page: str, said: str, html: str) -> str:
    heading = f'<h2 id="report">quantstats\' report</h2>\n<p>{escape(said)}</p>\n'
    before, main, after = page.rpartition("</main>")
    return f"{before}{heading}{html}\n{main}{after}"
