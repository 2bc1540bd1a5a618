import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vp_pipeline.analytics.errors import NotEnoughData
from vp_pipeline.analytics.price_rows import PriceRows
from vp_pipeline.analytics.value_area import Rule, point_of_control, value_area

RULES: tuple[Rule, ...] = ("two-row", "one-row", "both-sides")
CHECK = (10, 15, 20, 60, 70, 150, 90, 80, 50, 10)

FEW = settings(deadline=None, max_examples=60)

volumes = st.lists(st.floats(0, 1e6), min_size=1, max_size=30).filter(lambda v: max(v) > 1e-3)


def rows(*volume: float, first: int = 101) -> PriceRows:
    return PriceRows(first, 1.0, np.array(volume, dtype=float))


@pytest.mark.parametrize(
    ("rule", "val", "vah", "volume"),
    [("one-row", 105, 108, 390), ("two-row", 104, 108, 450), ("both-sides", 104, 108, 450)],
)
def test_the_published_table(rule: Rule, val: float, vah: float, volume: float) -> None:
    area = value_area(rows(*CHECK), 0.70, rule)
    assert (area.poc, area.val, area.vah, area.volume, area.share) == (106, val, vah, volume, 0.70)


@pytest.mark.parametrize(
    ("rule", "steps"),
    [
        ("one-row", [(0.27, 106, 106), (0.28, 106, 107), (0.44, 106, 108), (0.58, 105, 108)]),
        ("two-row", [(0.27, 106, 106), (0.28, 106, 108), (0.58, 104, 108)]),
    ],
)
def test_the_area_grows_as_published(rule: Rule, steps: list[tuple[float, float, float]]) -> None:
    for share, val, vah in steps:
        area = value_area(rows(*CHECK), share, rule)
        assert (area.val, area.vah) == (val, vah), share


def test_two_row_is_the_default_at_70_percent() -> None:
    assert value_area(rows(*CHECK)) == value_area(rows(*CHECK), 0.70, "two-row")


@pytest.mark.parametrize(
    ("volume", "poc"),
    [
        ((290, 170, 50), 101),
        ((5, 1, 5, 1, 1), 103),  # both rows have 5, the third is the middle
        ((1, 5, 1, 5, 1), 102),  # equally near the middle: the lower
        ((0, 0, 0, 0, 5, 1, 1, 1, 5), 105),  # empty rows at the end are no part of the profile
        ((0.1 + 0.2, 0, 0.3), 101),  # 0.30000000000000004 is not more than 0.3
        ((0.3, 0, 0.1 + 0.2), 101),
    ],
)
def test_point_of_control(volume: tuple[float, ...], poc: float) -> None:
    assert point_of_control(rows(*volume)) == poc


@pytest.mark.parametrize("rule", ["one-row", "two-row"])
def test_ties_go_up(rule: Rule) -> None:
    area = value_area(rows(1, 1, 4, 1, 1), 0.6, rule)
    assert area.val == 103
    assert area.vah > 103


@pytest.mark.parametrize("rule", ["one-row", "two-row"])
def test_volumes_that_differ_by_rounding_are_a_tie(rule: Rule) -> None:
    area = value_area(rows(0, 0.1 + 0.2, 9, 0.3, 0), 0.95, rule)
    assert (area.val, area.vah) == (103, 105 if rule == "two-row" else 104)


@pytest.mark.parametrize("rule", RULES)
def test_at_the_end_of_the_profile_the_area_grows_the_other_way(rule: Rule) -> None:
    area = value_area(rows(1, 0, 0, 1, 9), 1.0, rule)
    assert (area.poc, area.val, area.vah, area.volume) == (105, 101, 105, 11)


@FEW
@given(volumes, st.floats(0.01, 1), st.sampled_from(RULES))
def test_the_area_holds_the_share_and_the_point_of_control(
    volume: list[float], share: float, rule: Rule
) -> None:
    profile = rows(*volume)
    area = value_area(profile, share, rule)
    assert area.val <= area.poc <= area.vah
    assert area.volume >= share * profile.total * (1 - 1e-9)
    inside = (profile.price >= area.val) & (profile.price <= area.vah)
    assert area.volume == pytest.approx(profile.volume[inside].sum())


@FEW
@given(volumes, st.floats(0.01, 1), st.floats(0.01, 1), st.sampled_from(RULES))
def test_a_larger_share_never_shrinks_the_area(
    volume: list[float], one: float, two: float, rule: Rule
) -> None:
    smaller, larger = (value_area(rows(*volume), share, rule) for share in sorted((one, two)))
    assert larger.val <= smaller.val
    assert larger.vah >= smaller.vah


@FEW
@given(volumes, st.integers(0, 5), st.integers(0, 5))
def test_empty_rows_at_the_ends_change_nothing(volume: list[float], below: int, above: int) -> None:
    padded = rows(*[0.0] * below, *volume, *[0.0] * above, first=101 - below)
    assert point_of_control(padded) == point_of_control(rows(*volume))


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan")])
def test_a_share_is_within_0_and_1(share: float) -> None:
    with pytest.raises(ValueError, match="share of the value area must be above 0 and at most 1"):
        value_area(rows(*CHECK), share)


@pytest.mark.parametrize("volume", [(), (0, 0)])
def test_a_profile_without_volume_has_no_levels(volume: tuple[float, ...]) -> None:
    with pytest.raises(NotEnoughData, match="the profile has no volume"):
        value_area(rows(*volume))
