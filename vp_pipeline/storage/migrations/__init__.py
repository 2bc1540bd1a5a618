"""Alembic's folder: the environment and one file a change of the schema."""
