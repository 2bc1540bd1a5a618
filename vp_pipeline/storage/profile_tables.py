"""The tables of the profiles, as `tables` has the others.

Here belong their declarations. What stands in the rows of `profile` is for `profile_rows`.
"""

from vp_pipeline.storage.table import Table

PROFILE_GRID = Table("profile_grid", {"base": "text", "row_size": "float8"}, key=("base",))

PROFILE = Table(
    "profile",
    {
        "base": "text",
        "level": "text",
        "start_time": "timestamptz",
        "market_id": "int2",
        "included": "bool",
        "hours": "int4",
        "first_row": "int4",
        "known": "float8",
        "unpriced": "float8",
        "volume": "bytea",
        "bought": "bytea",
    },
    key=("base", "level", "start_time", "market_id", "included"),
    time="start_time",
)

VOLUME_PROFILE = Table(
    "volume_profile",
    {
        "base": "text",
        "day": "date",
        "poc": "float8",
        "vah": "float8",
        "val": "float8",
        "value_area_share": "float8",
        "row_size": "float8",
        "total_volume": "float8",
        "minutes": "int4",
        "kde_bandwidth": "float8",
        "poc_low": "float8",
        "poc_high": "float8",
        "poc_stability": "float8",
        "vah_low": "float8",
        "vah_high": "float8",
        "vah_stability": "float8",
        "val_low": "float8",
        "val_high": "float8",
        "val_stability": "float8",
        "low": "float8",
        "high": "float8",
        "venues": "int2",
        "delta": "float8",
        "taker_share": "float8",
        "unpriced": "float8",
        "minutes_expected": "int4",
        "minutes_got": "int4",
        "minutes_empty": "int4",
        "minutes_unknown": "int4",
        "node_bandwidth": "float8",
    },
    key=("base", "day"),
    time="day",
)

VOLUME_PROFILE_ROW = Table(
    "volume_profile_row",
    {"base": "text", "day": "date", "price": "float8", "volume": "float8"},
    key=("base", "day", "price"),
    time="day",
)

VOLUME_PROFILE_NODE = Table(
    "volume_profile_node",
    {
        "base": "text",
        "day": "date",
        "price": "float8",
        "density": "float8",
        "prominence": "float8",
        "width": "float8",
        "kind": "text",
        "share": "float8",
        "survives": "float8",
        "octaves": "float8",
        "low": "float8",
        "high": "float8",
        "stability": "float8",
    },
    key=("base", "day", "kind", "price"),
    time="day",
)

VOLUME_PROFILE_VENUE = Table(
    "volume_profile_venue",
    {
        "base": "text",
        "day": "date",
        "market": "text",
        "quote": "text",
        "volume": "float8",
        "bought": "float8",
        "taker_share": "float8",
        "left_out": "float8",
        "unpriced": "float8",
        "poc": "float8",
    },
    key=("base", "day", "market"),
    time="day",
)

COMPOSITE_LEVEL = Table(
    "composite_level",
    {
        "base": "text",
        "day": "date",
        "span": "text",
        "start_time": "timestamptz",
        "end_time": "timestamptz",
        "hours": "int4",
        "poc": "float8",
        "vah": "float8",
        "val": "float8",
        "volume": "float8",
    },
    key=("base", "day", "span"),
    time="day",
)

NAKED_POC = Table(
    "naked_poc",
    {
        "base": "text",
        "day": "date",
        "poc_day": "date",
        "poc": "float8",
        "age_days": "float8",
        "touched": "timestamptz",
    },
    key=("base", "day", "poc_day"),
    time="day",
)
