"""Postgres: schema, rows in and out, artifacts. Nothing here computes or draws."""
