"""Session tables as of each day, over several spans of days, with intervals and tests.

What was stored before belongs to no day and follows from the stored bars: it is dropped, and made again by
the next run.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

TABLE = """
CREATE TABLE session_volatility (
    symbol text NOT NULL,
    interval text NOT NULL,
    day date NOT NULL,
    span text NOT NULL,
    grouping text NOT NULL,
    weekday text NOT NULL,
    session text NOT NULL,
    minute text NOT NULL,
    horizon text NOT NULL,
    volatility_pct double precision,
    bars bigint NOT NULL,
    returns bigint NOT NULL,
    days integer NOT NULL,
    mean_volume double precision,
    mean_taker_buy_volume double precision,
    taker_share double precision,
    volume_per_trade double precision,
    variance_share double precision,
    return_q1 double precision,
    return_median double precision,
    return_q3 double precision,
    whisker_low double precision,
    whisker_high double precision,
    daily_share double precision,
    full_days integer NOT NULL,
    relative double precision,
    volatility_low double precision,
    volatility_high double precision,
    mean_volume_low double precision,
    mean_volume_high double precision,
    taker_share_low double precision,
    taker_share_high double precision,
    volume_per_trade_low double precision,
    volume_per_trade_high double precision,
    variance_share_low double precision,
    variance_share_high double precision,
    daily_share_low double precision,
    daily_share_high double precision,
    relative_low double precision,
    relative_high double precision,
    usual_ratio double precision,
    p_value double precision,
    p_adjusted double precision,
    differs boolean NOT NULL,
    rolling_days integer NOT NULL,
    rolling_windows integer NOT NULL,
    rolling_low double precision,
    rolling_median double precision,
    rolling_high double precision,
    rolling_above double precision,
    PRIMARY KEY (symbol, interval, day, span, grouping, weekday, session, minute, horizon)
)"""
COMMENTS = {
    "day": "as of the end of this day",
    "span": "days up to it: 30d, 90d, 1y or all",
    "bars": "count for the volume, returns for the volatility",
    "variance_share": "of the sum of squared returns of the grouping",
    "daily_share": "mean over the full days of the share of the squared returns of the day",
    "relative": "volatility over that of all other bars of the grouping",
    "usual_ratio": "mean absolute return over that of all others, each day against its week",
    "p_adjusted": "by the method of Holm, within the grouping",
    "rolling_above": "share of the rolling windows in which the group is above all bars",
}


def upgrade() -> None:
    """Replace the table."""
    op.execute("DROP TABLE session_volatility")
    op.execute(TABLE)
    for column, comment in COMMENTS.items():
        op.execute(f"COMMENT ON COLUMN session_volatility.{column} IS '{comment}'")
