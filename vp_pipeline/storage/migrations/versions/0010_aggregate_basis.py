"""What the markets file said of each instrument when its aggregate was last made.

Nothing is known of what is stored already: the first run takes the file as it is then.
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


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE aggregate_basis")
