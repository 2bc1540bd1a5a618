"""The code location that Dagster loads."""

from vp_pipeline.assets.build import build_defs
from vp_pipeline.settings import load_settings

defs = build_defs(load_settings())
