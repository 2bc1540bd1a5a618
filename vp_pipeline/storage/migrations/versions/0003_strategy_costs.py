"""What strategies earn after costs, what they trade, and a line of figures for each.

Daily returns also keep the day's range and volume, of which levels by price are made. Days that were stored
before lack them until they are fetched again.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

COLUMNS = """
ALTER TABLE daily_return
    ADD COLUMN high double precision, ADD COLUMN low double precision, ADD COLUMN volume double precision;

COMMENT ON COLUMN daily_return.volume IS 'in the base asset';

COMMENT ON COLUMN strategy_return.return IS 'before costs';
"""
NET = """
CREATE TABLE strategy_net (
    strategy text NOT NULL,
    day date NOT NULL,
    net double precision NOT NULL,
    turnover double precision NOT NULL,
    cost double precision NOT NULL,
    PRIMARY KEY (strategy, day)
);

COMMENT ON COLUMN strategy_net.net IS 'return after fees and slippage';

COMMENT ON COLUMN strategy_net.turnover IS 'bought and sold, as a part of the wealth';
"""
SUMMARY = """
CREATE TABLE strategy_summary (
    strategy text NOT NULL,
    title text NOT NULL,
    description text NOT NULL,
    parameters text NOT NULL,
    benchmark text NOT NULL,
    looks_ahead boolean NOT NULL,
    days_looked_ahead integer NOT NULL,
    evidence text NOT NULL,
    days integer NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    cagr double precision,
    cagr_low double precision,
    cagr_high double precision,
    cagr_gross double precision,
    volatility double precision,
    sharpe double precision,
    sharpe_low double precision,
    sharpe_high double precision,
    sharpe_gross double precision,
    sortino double precision,
    max_drawdown double precision,
    max_drawdown_low double precision,
    max_drawdown_high double precision,
    psr double precision,
    dsr double precision,
    trials integer NOT NULL,
    turnover double precision,
    exposure double precision,
    costs double precision,
    break_even_bps double precision,
    out_of_sample_from date,
    in_sample_sharpe double precision,
    out_of_sample_sharpe double precision,
    excess_cagr double precision,
    PRIMARY KEY (strategy)
);

COMMENT ON TABLE strategy_summary IS 'after costs unless it says gross; null where a figure is not defined';

COMMENT ON COLUMN strategy_summary.days_looked_ahead IS 'days whose weights changed when the future did';
"""


def upgrade() -> None:
    """Add the columns, create the table."""
    for statement in (COLUMNS + NET + SUMMARY).split(";\n"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Drop what `upgrade` adds."""
    op.execute("DROP TABLE strategy_summary")
    op.execute("DROP TABLE strategy_net")
    op.execute("ALTER TABLE daily_return DROP COLUMN high, DROP COLUMN low, DROP COLUMN volume")
