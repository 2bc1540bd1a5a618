"""Volume by price of every hour and venue: the parts of which each profile is a sum.

Here belongs which assets there are; which hours are made is in `hour_profiles_run`. They are made in the
aggregate's step, after it: a step of their own would be skipped, as the aggregate yields events, not outputs.
"""

from collections.abc import Callable

from dagster import AssetKey, AssetSpec

from vp_pipeline.settings import Settings
from vp_pipeline.storage.io_manager import stored_as
from vp_pipeline.storage.profile_tables import PROFILE

GROUP = "volume_profile"


def profile_hours_key(base: str) -> AssetKey:
    """profile_hours/<base>."""
    return AssetKey(["profile_hours", base.lower()])


def specs(settings: Settings, upstream: Callable[[str], AssetKey]) -> list[AssetSpec]:
    """An asset for each instrument; `upstream` names the asset of a base that it depends on."""
    return [
        AssetSpec(
            profile_hours_key(base),
            deps=[upstream(base)],
            group_name=GROUP,
            kinds={"numpy", "postgres"},
            skippable=True,
            description=f"{base} by price, for every hour and venue at the venue's own prices in US dollars."
            " Any window and any venues are a sum of these.",
            metadata=stored_as(PROFILE, base=base),
        )
        for base in settings.catalog.instruments
    ]
