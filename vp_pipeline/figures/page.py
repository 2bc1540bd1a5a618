"""One self-contained HTML document of figures, tables and text.

Here belongs the document around the figures: same sections, same bytes. It loads nothing from anywhere.
plotly.js is 4 MB, so the document has `PLOTLY_INCLUDE` in its place, once; `inline` puts it in.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources
from typing import TypeAlias

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

PLOTLY_INCLUDE = "<!--vp:include plotly.js-->"


@dataclass(frozen=True)
class Heading:
    """The title of the sections that follow."""

    text: str


@dataclass(frozen=True)
class Markup:
    """HTML that is put in as it is; whoever writes it has escaped what comes from outside."""

    html: str


Section: TypeAlias = go.Figure | tuple[go.Figure, ...] | pd.DataFrame | Heading | Markup | str
"""A figure, figures side by side where there is room, a table, a heading, HTML, or a paragraph of text."""


@dataclass(frozen=True)
class Page:
    """`label` is a banner for what is not live data, as "SIMULATED DATA"."""

    title: str
    subtitle: str
    label: str | None
    sections: Sequence[Section]

    def render(self) -> str:
        """The HTML document, with `PLOTLY_INCLUDE` where plotly.js belongs if there is a figure."""
        drawn = _Figures()
        body = "\n".join(drawn.html(section) for section in self.sections)
        return _DOCUMENT.format(
            title=escape(self.title),
            style=_style(),
            plotly=PLOTLY_INCLUDE if drawn.count else "",
            banner=f'<p class="label">{escape(self.label)}</p>\n' if self.label else "",
            subtitle=escape(self.subtitle),
            body=body,
            noscript="<noscript><p>The figures on this page need JavaScript.</p></noscript>"
            if drawn.count
            else "",
        )


def render_page(title: str, subtitle: str, label: str | None, sections: Iterable[Section]) -> str:
    """The HTML document of these sections, as `Page.render` has it."""
    return Page(title, subtitle, label, tuple(sections)).render()


@cache
def plotly_script() -> str:
    """plotly.js in a script element."""
    return f"<script>{get_plotlyjs()}</script>"


def inline(html: str) -> str:
    """The document with plotly.js in it."""
    return html.replace(PLOTLY_INCLUDE, plotly_script())


class _Figures:
    """Writes sections and numbers the figures, so that every one has a name of its own."""

    def __init__(self) -> None:
        self.count = 0

    def html(self, section: Section) -> str:
        if isinstance(section, go.Figure):
            return self._figure(section)
        if isinstance(section, tuple):
            return "\n".join(['<div class="row">', *map(self._cell, section), "</div>"])
        if isinstance(section, pd.DataFrame):
            table = section.to_html(index=False, border=0, na_rep="-", justify="left")
            return f'<div class="table">{table}</div>'
        if isinstance(section, Markup):
            return section.html
        if isinstance(section, Heading):
            return f"<h2>{escape(section.text)}</h2>"
        return f"<p>{escape(section)}</p>"

    def _cell(self, figure: go.Figure) -> str:
        return f"<div>{self._figure(figure)}</div>"

    def _figure(self, figure: go.Figure) -> str:
        self.count += 1
        name = f"figure-{self.count}"
        # As text of the page the title wraps on a narrow screen.
        title = figure.layout.title.text
        bare = go.Figure(figure)
        bare.layout.title = None
        # "</" would end the script element, wherever it stands.
        data = bare.to_json(engine="json").replace("</", "<\\/")
        return (
            f"<h3>{escape(title or '')}</h3>\n"
            f'<div class="figure" id="{name}" style="height: {figure.layout.height or 450}px"></div>\n'
            f'<script>draw("{name}", {data});</script>'
        )


@cache
def _style() -> str:
    return resources.files("vp_pipeline.figures").joinpath("page.css").read_text(encoding="utf-8")


_DOCUMENT = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
{style}</style>
{plotly}
<script>
const config = {{
  responsive: true, displaylogo: false, typesetMath: false, plotlyServerURL: "",
  modeBarButtons: [["toImage"], ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]]
}};
const figures = [];
const draw = (name, figure) => figures.push([name, figure]);
</script>
</head>
<body>
<header>
{banner}<h1>{title}</h1>
<p class="subtitle">{subtitle}</p>
</header>
<main>
{noscript}
{body}
</main>
<script>
// Only now is the page's layout final, and with it every figure's width.
for (const [name, figure] of figures) Plotly.newPlot(name, figure.data, figure.layout, config);
</script>
</body>
</html>
"""
