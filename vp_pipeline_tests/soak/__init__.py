"""A chaos soak: weeks of simulated time against real parts while seeded faults strike.

Here belongs what strikes, what is struck and the judgement at the end. It stands outside of the platform and
uses it as its users do: jobs through Dagster, candles over the wire, tables in Postgres.
"""
