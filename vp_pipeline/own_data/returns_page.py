"""The HTML document of `vp tearsheet`.

Here belongs which figures and tables it shows, in which order; figures are drawn in `figures`.
"""

from vp_pipeline.figures.growth import growth_figure
from vp_pipeline.figures.page import Heading, Section, inline, render_page
from vp_pipeline.figures.returns import drawdown_figure, monthly_figure
from vp_pipeline.figures.verdict import level_of_evidence
from vp_pipeline.own_data.returns_report import ReturnsReport, remarks, table_of, title_of


def html_of(report: ReturnsReport) -> str:
    """One self-contained document; same report, same bytes."""
    table = table_of(report).rename_axis("Statistic").reset_index()
    sections: list[Section] = [
        *(level_of_evidence(column.evidence, of=name) for name, column in report.columns.items()),
        growth_figure(report.returns, "Growth of 1"),
        drawdown_figure(report.returns, "Drawdown"),
        Heading("Statistics"),
        table,
        *remarks(report),
        Heading("Returns by month"),
        *(monthly_figure(report.returns[name], name) for name in report.columns),
    ]
    return inline(render_page(f"Tearsheet of {report.path.name}", title_of(report), None, sections))
