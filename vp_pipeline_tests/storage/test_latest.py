from vp_pipeline.analytics.quote_rates import CARRY_MINUTES
from vp_pipeline.storage import latest
from vp_pipeline.windows import MINUTE


def test_a_rate_holds_between_ticks_as_long_as_in_them() -> None:
    """Said twice: whoever polls imports no pandas."""
    assert latest.CARRIED == CARRY_MINUTES * MINUTE
