"""What the JSON answers of the API hold, for its description in OpenAPI.

Here belong names, types and meanings. Answers are not checked against them as they go out, the tests do that;
rows that are whole rows of a table have the columns that its declaration names.
"""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from vp_pipeline.storage.table import PgType, Table
from vp_pipeline.storage.tables import SESSION_VOLATILITY, STRATEGY_SUMMARY

_TYPES: dict[PgType, type] = {
    "int4": int,
    "int8": int,
    "float8": float,
    "bool": bool,
    "text": str,
    "date": date,
    "timestamptz": datetime,
}


class Page(BaseModel):
    """Rows in order, with what they have in common."""

    next: str | None = Field(description="Address of the next page, null after the last.")


class Instrument(BaseModel):
    """What is aggregated; `change` counts its changes."""

    instrument: str
    row_size: float
    lead: str
    markets: int
    first_minute: datetime | None
    last_minute: datetime | None
    change: int


class Instruments(Page):
    """Those of the markets file."""

    rows: list[Instrument]


class Market(BaseModel):
    """A market; `expected_24h`, `got_24h` and `empty_24h` count minutes of the last 24 stored hours.

    Coverage is (got_24h + empty_24h) / expected_24h.
    """

    market: str
    state: Literal["live", "retired"]
    last_minute: datetime | None
    lag_seconds: int | None = Field(description="Since the last minute closed; of a recording until its end.")
    rows: int = Field(description="Candles stored.")
    expected_24h: int
    got_24h: int
    empty_24h: int = Field(description="Minutes of which the exchange said that there is no candle.")
    reason: str = Field(description="Of the newest gap, empty if there is none.")


class Markets(Page):
    """Those of the markets file; `label` is what must be said of data that are not live."""

    source: str
    label: str | None
    rows: list[Market]


class Candle(BaseModel):
    """Prices in US dollars for an instrument, in the quote currency for a market; volume in base units."""

    open_time: datetime
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float
    minutes: int
    complete: bool


class Candles(Page):
    """Candles of an instrument or a market."""

    series: str
    timeframe: str
    rows: list[Candle]
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "series": "BTC",
                "timeframe": "1h",
                "next": None,
                "rows": [
                    {
                        "open_time": "2023-03-11T00:00:00Z",
                        "open": 20150.1,
                        "high": 20310.0,
                        "low": 20090.5,
                        "close": 20281.3,
                        "volume": 5120.4,
                        "minutes": 60,
                        "complete": True,
                    }
                ],
            }
        }
    )


class Minute(BaseModel):
    """One minute of the aggregate; prices as they were traded, null where no market had one."""

    open_time: datetime
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float
    markets: int
    missing: str = Field(description="The expected markets without a candle.")


class Minutes(Page):
    """Minutes of the aggregate as they are stored."""

    instrument: str
    rows: list[Minute]


class ProvisionalMinute(BaseModel):
    """A minute of the lead market in US dollars; `closed` by the exchange's clock."""

    open_time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    closed: bool


class Latest(Page):
    """Minutes after the last candle; `late_seconds` after `read_at` the next reading is overdue."""

    instrument: str
    market: str
    read_at: datetime | None
    late_seconds: int
    trouble: str
    provisional: bool
    rows: list[ProvisionalMinute]


class PriceRow(BaseModel):
    """Volume between `price` and the next row, of all venues and, by its name, of each."""

    price: float
    volume: float
    __pydantic_extra__: dict[str, float] = Field(init=False)
    model_config = ConfigDict(extra="allow")


class ValueArea(BaseModel):
    """Levels in US dollars; `share` of all `volume` is in the value area."""

    poc: float
    vah: float
    val: float
    share: float
    volume: float


class Profile(Page):
    """Volume by price; `levels` is null where nothing was traded."""

    instrument: str
    row_size: float
    levels: ValueArea | None
    coverage: float | None = Field(
        description="Part of the minutes asked for that are stored or that the exchange does not have."
    )
    lacking_hours: int = Field(description="Hours of the window that are in no row.")
    rows: list[PriceRow]


class DayLevels(BaseModel):
    """Levels of a day's profile, and where each would be in resampled days."""

    day: date
    poc: float
    poc_low: float | None
    poc_high: float | None
    vah: float
    vah_low: float | None
    vah_high: float | None
    val: float
    val_low: float | None
    val_high: float | None
    total_volume: float
    value_area_share: float
    row_size: float
    minutes: int


class NakedPoc(BaseModel):
    """A point of control that no price has touched until the end of the window."""

    day: date
    poc: float


class Levels(Page):
    """Levels by day."""

    instrument: str
    naked: list[NakedPoc]
    rows: list[DayLevels]


class StrategyReturn(BaseModel):
    """A day as a fraction; what depends on costs is null where they were not computed."""

    day: date
    gross: float
    net: float | None
    turnover: float | None
    cost: float | None


class StrategyReturns(Page):
    """Daily returns of one strategy."""

    strategy: str
    rows: list[StrategyReturn]


class Artifact(BaseModel):
    """A finished document; `size` and `sha256` are those of the download at `url`."""

    name: str
    partition: str
    media_type: str
    size: int
    sha256: str
    run_id: str
    created_at: datetime
    url: str


class Artifacts(Page):
    """Finished documents."""

    rows: list[Artifact]


def _page_of(name: str, table: Table) -> type[Page]:
    """Pages of whole rows; outside of the key anything may be null."""
    columns: dict[str, Any] = {
        column: (_TYPES[kind] if column in table.key else _TYPES[kind] | None, ...)
        for column, kind in table.columns.items()
    }
    row = create_model(f"{name}Row", __doc__=f"A row of the table {table.name}.", **columns)
    rows: Any = (list[row], ...)  # type: ignore[valid-type]  # made from the declaration
    return create_model(name, __base__=Page, __doc__=f"Rows of the table {table.name}.", rows=rows)


Sessions = _page_of("Sessions", SESSION_VOLATILITY)
Strategies = _page_of("Strategies", STRATEGY_SUMMARY)
