import re

import pandas as pd
import plotly.graph_objects as go
import pytest

from vp_pipeline.figures import theme
from vp_pipeline.figures.page import PLOTLY_INCLUDE, Heading, Section, inline, plotly_script, render_page


def figure(title: str = "A figure") -> go.Figure:
    return theme.new_figure(title, 300).add_bar(x=["a", "b"], y=[1.5, 2.5])


def page(*sections: Section, label: str | None = None) -> str:
    return render_page("A title", "A subtitle", label, sections)


def test_the_same_sections_are_the_same_bytes() -> None:
    assert page(figure(), (figure(), figure()), "text") == page(figure(), (figure(), figure()), "text")


def test_plotly_is_marked_once_however_many_figures_there_are() -> None:
    document = page(figure(), (figure(), figure()))
    assert document.count(PLOTLY_INCLUDE) == 1
    assert document.index(PLOTLY_INCLUDE) < document.index("</head>")
    assert re.findall(r'<div class="figure" id="([^"]+)"', document) == ["figure-1", "figure-2", "figure-3"]


def test_a_page_without_figures_needs_no_plotly() -> None:
    assert PLOTLY_INCLUDE not in page("only text")


def test_inline_puts_the_script_in_its_place() -> None:
    document = inline(page(figure()))
    assert PLOTLY_INCLUDE not in document
    assert plotly_script() in document
    # An end tag inside plotly.js would cut it off.
    assert plotly_script().count("</script>") == 1


def test_nothing_is_loaded_from_anywhere() -> None:
    document = page(figure(), pd.DataFrame({"a": [1]}), "text", label="SIMULATED DATA")
    assert "//" not in re.sub(r"\n// [^\n]*", "", document)
    assert not re.search(r"@import|url\(", document)
    assert re.findall(r"<link[^>]*>", document) == ['<link rel="icon" href="data:,">']
    assert not re.search(r'\b(src|href)="(?!data:)', document)


def test_the_label_is_a_banner_or_absent() -> None:
    assert '<p class="label">SIMULATED DATA</p>' in page("text", label="SIMULATED DATA")
    assert 'class="label"' not in page("text")


@pytest.mark.parametrize("text", ["<b>", "a & b", '"quoted"'])
def test_text_is_text(text: str) -> None:
    document = render_page(
        text, text, text, [text, Heading(text), figure(text), pd.DataFrame({text: [text]})]
    )
    assert document.count(text) == (2 if text == '"quoted"' else 0)  # quotes need no escape in a table


def test_figures_cannot_end_their_script() -> None:
    harmless, hostile = page(figure()), page(figure().update_layout(xaxis_title_text="</script><b>"))
    assert hostile != harmless
    assert hostile.count("</script>") == harmless.count("</script>")


def test_the_figures_title_is_text_of_the_page_and_stays_in_the_figure() -> None:
    drawn = figure("Volume by price")
    document = page(drawn)
    assert "<h3>Volume by price</h3>" in document
    assert document.count("Volume by price") == 1
    assert drawn.layout.title.text == "Volume by price"


def test_a_table_shows_its_columns_and_marks_what_is_missing() -> None:
    document = page(pd.DataFrame({"session": ["AS", "EU"], "share": [0.5, None]}))
    assert "<th>session</th>" in document
    assert "<td>-</td>" in document
