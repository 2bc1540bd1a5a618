"""Dagster assets, jobs and schedules, one concept a module.

Here an asset says what it is, what it depends on and what its materialization reports; fetching,
computing, drawing and storing are called, not done. What only a run needs (ccxt, scipy, plotly) is
imported in the asset's body: the code server, which lists assets and runs none, stays small.
"""
