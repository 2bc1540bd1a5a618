"""The code location that Dagster loads."""

import gc

from vp_pipeline.assets.build import build_defs
from vp_pipeline.settings import load_settings

defs = build_defs(load_settings())

# What is loaded by now stays: nobody need look for garbage in it. Some runs have not so far, see
# `runtime.code_server`.
gc.freeze()
gc.enable()
