"""What a reader of a tearsheet sees first: how much it proves, and the figures that say so.

Here belong that panel and how figures are written as text; what they mean is in `analytics.assessment`.
"""

import math
from collections.abc import Callable
from html import escape

from vp_pipeline.analytics.assessment import Assessment
from vp_pipeline.analytics.bootstrap import Interval
from vp_pipeline.analytics.evidence import Evidence, Level
from vp_pipeline.figures.page import Markup

DASH = "\N{EN DASH}"

_WORDS: dict[Level, str] = {
    "none": "No evidence of skill",
    "weak": "Weak evidence of skill",
    "moderate": "Moderate evidence of skill",
    "strong": "Strong evidence of skill",
}


def verdict(found: Assessment, benchmark: str, look_ahead: str, assumed_bps: float) -> Markup:
    """The level of evidence with its reasons, and eight figures with what they have to be seen with.

    Args:
        found: of the strategy.
        benchmark: its name.
        look_ahead: the verdict on looking ahead, a sentence.
        assumed_bps: mean cost of what was traded.
    """
    tiles = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd><dd class='with'>{escape(beside)}</dd></div>"
        for name, value, beside in _tiles(found, benchmark, assumed_bps)
    )
    panel = level_of_evidence(found.evidence, f'<p class="look">{escape(look_ahead)}</p>')
    return Markup(f'{panel.html}<dl class="tiles">{tiles}</dl>')


def level_of_evidence(evidence: Evidence, html: str = "", of: str = "") -> Markup:
    """The level in words, what it is `of`, HTML of one's own, and the reasons."""
    reasons = [f'<li class="against">{escape(one)}</li>' for one in evidence.against]
    reasons += [f'<li class="favour">{escape(one)}</li>' for one in evidence.favour]
    heading = f"{of}: {_WORDS[evidence.level].lower()}" if of else _WORDS[evidence.level]
    return Markup(
        f"<style>{_STYLE}</style>"
        f'<section class="verdict {evidence.level}"><h2>{escape(heading)}</h2>{html}'
        f"<ul>{''.join(reasons)}</ul></section>"
    )


def _tiles(found: Assessment, benchmark: str, assumed_bps: float) -> list[tuple[str, str, str]]:
    net, bounds = found.net, found.intervals
    return [
        ("Growth a year, after costs", percent(net.cagr), between(bounds.cagr, percent)),
        (
            f"Growth above {benchmark}",
            points(found.comparison.excess_cagr),
            f"{percent(found.benchmark.cagr)} there",
        ),
        ("Sharpe ratio, after costs", decimal(net.sharpe), between(bounds.sharpe, decimal)),
        ("Deepest drawdown", percent(net.max_drawdown), between(bounds.max_drawdown, percent)),
        (
            "Sharpe above 0, probability",
            percent(found.psr),
            f"{percent(found.dsr)} above luck, {found.trials} tried",
        ),
        (
            "Sharpe out of sample",
            decimal(found.out_of_sample.sharpe),
            f"{decimal(found.in_sample.sharpe)} in sample",
        ),
        ("Costs a year", percent(found.costs), f"{percent(found.turnover)} of the wealth traded a day"),
        ("Break-even cost", f"{decimal(found.break_even_bps)} bps", f"{decimal(assumed_bps)} bps assumed"),
    ]


def percent(value: float | None) -> str:
    """12.3 %, or a dash for what is not defined."""
    return f"{value:,.1%}".replace("%", " %") if value is not None and math.isfinite(value) else DASH


def points(value: float) -> str:
    """+12.3 points: a difference of percentages."""
    return f"{100 * value:+,.1f} points" if math.isfinite(value) else DASH


def decimal(value: float | None) -> str:
    """1.23, or a dash for what is not defined."""
    return f"{value:,.2f}" if value is not None and math.isfinite(value) else DASH


def between(bounds: Interval, text: Callable[[float], str]) -> str:
    """The two ends of an interval."""
    low, high = (text(bound) for bound in bounds)
    return DASH if low == high == DASH else f"{low} to {high}"


_STYLE = """
.verdict { border-left: 6px solid; border-radius: 4px; }
.verdict { padding: 0.1rem 1rem 0.6rem; background: var(--stripe); }
.verdict h2 { border: 0; padding: 0; margin: 0.7rem 0 0.2rem; font-size: 1.35rem; }
.verdict.none { border-color: #D55E00; } .verdict.weak { border-color: #E69F00; }
.verdict.moderate { border-color: #56B4E9; } .verdict.strong { border-color: #009E73; }
.verdict ul { margin: 0.4rem 0; padding-left: 0; list-style: none; max-width: 80ch; }
.verdict li { padding-left: 1.5rem; text-indent: -1.5rem; }
.verdict li::before { display: inline-block; width: 1.5rem; text-indent: 0; font-weight: 700; }
.verdict li.against::before { content: "\\2212"; color: #D55E00; }
.verdict li.favour::before { content: "+"; color: #009E73; }
.look { font-weight: 600; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 0.6rem; margin: 1rem 0 0.5rem; }
@media (max-width: 760px) { .tiles { grid-template-columns: repeat(2, 1fr); } }
.tiles div { border: 1px solid var(--line); border-radius: 4px; padding: 0.5rem 0.7rem; min-width: 0; }
.tiles dt { color: var(--muted); font-size: 0.8rem; }
.tiles dd { margin: 0; font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.tiles dd.with { font-size: 0.8rem; font-weight: 400; color: var(--muted); }
"""
