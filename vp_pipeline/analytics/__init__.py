"""Pure functions from candles and returns to profiles, tables and weights.

Here belong definitions and arithmetic on numpy and pandas; no Dagster, no database, no files, no clock.
"""
