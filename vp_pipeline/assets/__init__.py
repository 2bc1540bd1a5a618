"""Dagster assets, jobs and schedules, one concept a module.

Here an asset says what it is, what it depends on and what its materialization reports; fetching,
computing, drawing and storing are called, not done. What a run does is in a module of its own, `*_run`
as a rule, which the asset's body imports: the code server, which lists assets and runs none, knows neither
pandas nor ccxt and stays small. `test_imports.py` holds this.
"""
