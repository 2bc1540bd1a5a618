"""Exchanges' wires turned into typed candle frames, or into errors that say what to do.

Nothing here knows Dagster, Postgres or the sandbox: a client is told a host and asked for a window.
"""
