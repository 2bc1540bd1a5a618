"""The minutes between ticks: what the lead markets say that no sum knows yet.

`site.lead_minute` and `site.lead_read` are unlogged: they write nothing ahead, and after a crash are empty
until the leads are asked again. The view `site.latest` hides what the aggregate has meanwhile.
"""

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = """
CREATE UNLOGGED TABLE site.lead_minute (
    base text NOT NULL,
    open_time timestamptz NOT NULL,
    open double precision NOT NULL,
    high double precision NOT NULL,
    low double precision NOT NULL,
    close double precision NOT NULL,
    volume double precision NOT NULL,
    closed boolean NOT NULL,
    PRIMARY KEY (base, open_time)
);

COMMENT ON TABLE site.lead_minute IS
    'provisional minutes of each lead market alone, in US dollars; in no sum, gone when a tick has them';

CREATE UNLOGGED TABLE site.lead_read (
    base text PRIMARY KEY,
    market text NOT NULL,
    read_at timestamptz,
    trouble text NOT NULL
);

COMMENT ON TABLE site.lead_read IS 'when each lead market was last read, and why not since';

CREATE VIEW site.latest AS
    SELECT lead_minute.*, market, read_at FROM site.lead_minute JOIN site.lead_read USING (base)
    WHERE open_time > coalesce(
        (SELECT max(open_time) FROM aggregate WHERE aggregate.base = lead_minute.base), '-infinity');

COMMENT ON VIEW site.latest IS 'the provisional minutes that the aggregate does not have yet'
"""


def upgrade() -> None:
    """Create the tables and the view."""
    for statement in STATEMENTS.split(";\n\n"):
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP VIEW site.latest")
    op.execute("DROP TABLE site.lead_minute")
    op.execute("DROP TABLE site.lead_read")
