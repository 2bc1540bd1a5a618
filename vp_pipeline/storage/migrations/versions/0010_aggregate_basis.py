"""What the markets file said of each instrument when its aggregate was last made.

Nothing is known of what is stored already: all of it is made anew, some hours at a tick, which also mends
hours whose rates depended on the chunk they were made in. Minutes that a passing ban gave up are asked for
again.
"""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the table."""
    op.execute("CREATE TABLE aggregate_basis (base text PRIMARY KEY, basis text NOT NULL)")
    op.execute(
        "COMMENT ON TABLE aggregate_basis IS"
        " 'what the aggregate of each instrument depends on in the markets file, as JSON'"
    )
    op.execute(
        "INSERT INTO stale_hour (consumer, base, hour)"
        " SELECT DISTINCT 'aggregate', base, date_trunc('hour', open_time, 'UTC') FROM aggregate"
        " ON CONFLICT DO NOTHING"
    )
    op.execute(
        "UPDATE coverage_run SET state = 'unknown'"
        " WHERE state = 'unfetchable' AND reason ~ 'has banned this address|wants no request before'"
    )


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE aggregate_basis")
