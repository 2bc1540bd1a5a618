"""Dagster assets, jobs and schedules, one concept a module.

Here an asset says what it is, what it depends on and what its materialization reports; fetching,
computing, drawing and storing are called, not done.
"""
