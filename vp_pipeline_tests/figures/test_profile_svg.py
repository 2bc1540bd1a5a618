from xml.etree import ElementTree

import pytest

from vp_pipeline.analytics.nodes import volume_nodes
from vp_pipeline.analytics.price_rows import PriceRows, volume_by_price
from vp_pipeline.analytics.value_area import value_area
from vp_pipeline.figures import theme
from vp_pipeline.figures.profile_svg import HEIGHT, WIDTH, profile_svg
from vp_pipeline_tests.figures.test_volume_profile import minutes, of_venues

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def rows() -> PriceRows:
    return volume_by_price(minutes(), 10)


def texts(picture: str) -> list[str]:
    return [found.text or "" for found in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_it_is_a_picture_of_its_own(rows: PriceRows) -> None:
    area = value_area(rows)
    picture = profile_svg(minutes(), rows, area, "BTC <1 & 2>", "a day", nodes=volume_nodes(rows))
    root = ElementTree.fromstring(picture)
    assert root.get("viewBox") == f"0 0 {WIDTH} {HEIGHT}"
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in picture
    assert "BTC <1 & 2>" in texts(picture)
    for name, price in (("POC", area.poc), ("VAH", area.vah), ("VAL", area.val)):
        assert {name, f"{price:,.10g}"} <= set(texts(picture))
    assert f"POC {area.poc:,.10g}" in (root.findtext(f"{SVG}title") or "")
    assert len(picture) < 200_000


def test_everything_is_inside(rows: PriceRows) -> None:
    picture = profile_svg(minutes(), rows, value_area(rows), "t", parts=of_venues(rows, 12))
    for box in ElementTree.fromstring(picture).iter(f"{SVG}rect"):
        x, y = float(box.get("x", 0)), float(box.get("y", 0))
        assert 0 <= x <= x + float(box.get("width", 0)) <= WIDTH + 0.2
        assert 0 <= y <= y + float(box.get("height", 0)) <= HEIGHT + 0.2


def test_bars_have_the_length_of_their_volume(rows: PriceRows) -> None:
    area = value_area(rows)
    root = ElementTree.fromstring(profile_svg(minutes(), rows, area, "t"))
    longest = [
        float(box.get("width", 0)) for box in root.iter(f"{SVG}rect") if box.get("fill") == theme.ORANGE
    ]
    assert len(longest) == 1
    bars = [
        float(box.get("width", 0))
        for box in root.iter(f"{SVG}rect")
        if box.get("fill") in (theme.ORANGE, theme.BLUE) and float(box.get("x", 0)) > WIDTH / 2
    ]
    assert sum(bars) / max(bars) == pytest.approx(rows.total / rows.volume.max(), rel=0.01)


def test_the_venues_are_named_and_the_bytes_the_same(rows: PriceRows) -> None:
    parts = of_venues(rows, 12)
    one, other = (profile_svg(minutes(), rows, value_area(rows), "t", parts=parts) for _ in range(2))
    assert one == other
    assert {"venue 0", "venue 6", "5 others"} <= set(texts(one))
