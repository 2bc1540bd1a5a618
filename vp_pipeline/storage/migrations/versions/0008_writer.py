"""For a writer of rows: the partition of a new market is made in the name of the tables' owner."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Let the function act as its owner, whatever names the caller would put in its way."""
    op.execute(
        "ALTER FUNCTION make_candle_partition()"
        " SECURITY DEFINER SET search_path = public, pg_catalog, pg_temp"
    )


def downgrade() -> None:
    """Let it act as its caller."""
    op.execute("ALTER FUNCTION make_candle_partition() SECURITY INVOKER RESET search_path")
