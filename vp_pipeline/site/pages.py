"""Rendering: templates, the words and numbers they share, and figures on their way into a page.

Here belongs how a page is put together, whatever it shows.
"""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from math import floor, isnan
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from vp_pipeline.settings import Settings
from vp_pipeline.site.plotly_js import MAP_STYLE_ID, PLOTLY_PATH
from vp_pipeline.windows import MINUTE

DASH = "\N{EN DASH}"
STATIC = Path(__file__).with_name("static")
PAGES = {
    "/": "Market",
    "/sessions": "Sessions",
    "/strategies": "Strategies",
    "/artifacts/": "Artifacts",
    "/status": "Status",
}


def settings_of(request: Request) -> Settings:
    """The settings the application was made with."""
    settings: Settings = request.app.state.settings
    return settings


def page(request: Request, template: str, *, status: int = HTTPStatus.OK, **values: Any) -> Response:
    """The template with `values`, in the frame all pages share."""
    html = _TEMPLATES.get_template(template).render(
        path=request.url.path,
        pages=PAGES,
        settings=settings_of(request),
        plotly=PLOTLY_PATH,
        status=status,
        **values,
    )
    return HTMLResponse(html, status)


def figure_json(figure: Any) -> Markup:
    """A Plotly figure for a `<script type="application/json">`, which no text in it can leave."""
    # The figure is JSON already; parsing and writing it again would double the memory.
    return json_script(figure.to_json())


def json_script(text: str) -> Markup:
    """JSON for a `<script type="application/json">`, which no text in it can leave."""
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704  # cannot hold a tag any more


def moment(value: datetime | None) -> str:
    """2023-03-11 04:05 UTC; a dash for None."""
    return DASH if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def bytes_size(value: int) -> str:
    """4.8 MB: decimal units, two figures."""
    if value < 1000:
        return f"{value} B"
    return f"{value / 1e3:.0f} kB" if value < 1e6 else f"{value / 1e6:.1f} MB"


def price(value: float | None) -> str:
    """20,123.45: more decimals for a cheaper asset; a dash for None and NaN."""
    if value is None or isnan(value):
        return DASH
    return figures(value, 2 if abs(value) >= 10 else 4).removesuffix(".00")


def figures(value: float | None, decimals: int) -> str:
    """1,234.57 with so many decimals; a dash for None and NaN."""
    if value is None or isnan(value):
        return DASH
    return f"{value:,.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def percent(value: float | None, decimals: int = 1) -> str:
    """12.3 % of 0.123; a dash for None and NaN."""
    if value is None or isnan(value):
        return DASH
    return f"{figures(value * 100, decimals)} %"


def share(value: float | None) -> str:
    """99.98 % of 0.9998, cut off and not rounded: what is not whole does not look whole."""
    return DASH if value is None else f"{floor(value * 10_000) / 100:.2f} %"


def duration(value: timedelta) -> str:
    """The largest unit that fits: 4 minutes, 3 hours, 12 days."""
    minutes = value // timedelta(minutes=1)
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            count = minutes // size
            return f"{count:,} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"


_TEMPLATES = Environment(
    loader=PackageLoader("vp_pipeline.site"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters.update(
    moment=moment,
    bytes_size=bytes_size,
    price=price,
    figures=figures,
    percent=percent,
    share=share,
    duration=duration,
)
_TEMPLATES.globals |= {"map_style_id": MAP_STYLE_ID, "minute": MINUTE}
