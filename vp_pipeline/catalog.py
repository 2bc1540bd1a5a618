"""The markets file: which instruments, markets and klines the platform keeps.

Here belong the shape of `markets.toml`, its validation and the errors that name the line. What an
exchange is called or can do belongs to `exchanges`; how rows are keyed in Postgres to `storage`.
"""

import tomllib
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from vp_pipeline.toml_lines import line_of, line_of_syntax_error
from vp_pipeline.windows import DAY, HOUR, Window, ceil, floor

SHIPPED = Path(__file__).with_name("markets.toml")

Asset = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,12}$")]
Bps = Annotated[float, Field(ge=0, lt=10_000, allow_inf_nan=False)]
Interval = Literal["1m", "5m", "15m", "1h", "1d"]
INTERVAL_MINUTES: dict[Interval, int] = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "1d": 1440}


class CatalogError(ValueError):
    """The markets file cannot be used; the message names the file, the line and the remedy."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Instrument(_Entry):
    """One base asset, aggregated over all its markets."""

    row_size: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    lead: str


class Market(_Entry):
    """One spot market of one exchange. `exchange` is the ccxt id; `volume_unit` what the wire counts in."""

    exchange: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+$")]
    symbol: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,12}/[A-Z0-9]{1,12}$")]
    volume_unit: Literal["base", "quote"] = "base"
    retired: date | None = None

    @property
    def base(self) -> str:
        """BTC of BTC/USDT."""
        return self.symbol.split("/")[0]

    @property
    def quote(self) -> str:
        """USDT of BTC/USDT."""
        return self.symbol.split("/")[1]

    @property
    def name(self) -> str:
        """What people read: `binance BTC/USDT`."""
        return f"{self.exchange} {self.symbol}"

    @property
    def path(self) -> tuple[str, str]:
        """What keys are made of: ("binance", "btc_usdt")."""
        return self.exchange, self.symbol.replace("/", "_").lower()


class Span(_Entry):
    """A recorded stretch of time, both ends UTC, half-open."""

    start: datetime
    end: datetime

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("start and end need a time zone: write 2023-03-09T00:00:00Z")
        if self.start >= self.end:
            raise ValueError("start must be before end")
        return self

    @property
    def window(self) -> Window:
        """The same as a window in UTC."""
        return Window(self.start.astimezone(UTC), self.end.astimezone(UTC))

    @property
    def hours(self) -> Window:
        """The whole hours it touches."""
        return Window(floor(self.window.start, HOUR), ceil(self.window.end, HOUR))

    @property
    def days(self) -> Window:
        """The whole days it touches."""
        return Window(floor(self.window.start, DAY), ceil(self.window.end, DAY))


class Klines(_Entry):
    """The bars of one USD-M perpetual; `recorded` only where they come from a recording."""

    symbol: Asset
    interval: Interval = "5m"
    recorded: Span | None = None


class Costs(_Entry):
    """What trading one symbol costs, where it is not what `[strategies]` says."""

    fee_bps: Bps | None = None
    slippage_bps: Bps | None = None


class Variant(_Entry):
    """A strategy with its parameters; `rule` is its function, by default that of the variant's own name."""

    rule: Annotated[str, Field(min_length=1)] | None = None
    title: Annotated[str, Field(min_length=1)] | None = None
    benchmark: str | None = None
    parameters: dict[str, int | float | bool | str] = {}


class Strategies(_Entry):
    """The perpetuals whose daily returns the strategies trade, what that costs, and the variants tried.

    `out_of_sample` is the first day of that sample; `trials` how many variants were tried if more than are
    named; `keep_days` how many days each older tearsheet stays.
    """

    symbols: Annotated[tuple[Asset, ...], Field(min_length=1, strict=False)]
    start: date
    recorded: Span | None = None
    fee_bps: Bps = 5.0
    slippage_bps: Bps = 2.0
    costs: dict[Asset, Costs] = {}
    out_of_sample: date | None = None
    trials: Annotated[int, Field(ge=1)] | None = None
    keep_days: Annotated[int, Field(ge=0)] = 14
    variants: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$")], Variant] = {}

    @model_validator(mode="after")
    def _named(self) -> Self:
        for symbol in self.costs:
            if symbol not in self.symbols:
                raise _LocatedError(
                    ("strategies", "costs", symbol), f"{symbol} is none of the symbols: add or remove it"
                )
        for name, variant in self.variants.items():
            if variant.benchmark not in (None, *self.symbols, *self.variants):
                raise _LocatedError(
                    ("strategies", "variants", name, "benchmark"),
                    f"{variant.benchmark!r} is no symbol and no variant of this file: name one",
                )
        if self.trials is not None and self.trials < len(self.chosen):
            raise _LocatedError(
                ("strategies", "trials"),
                f"{len(self.chosen)} variants are named: at least as many were tried",
            )
        return self

    @property
    def chosen(self) -> dict[str, Variant]:
        """The variants of the file; where it names none, those of the shipped file."""
        return self.variants or _shipped_variants()

    def cost_bps(self, symbol: str) -> float:
        """Fee and slippage of a symbol, in basis points of what is bought or sold."""
        own = self.costs.get(symbol, Costs())
        fee = self.fee_bps if own.fee_bps is None else own.fee_bps
        return fee + (self.slippage_bps if own.slippage_bps is None else own.slippage_bps)


class Recording(_Entry):
    """What a replayed catalog's minute candles cover: each recorded stretch of time."""

    minutes: Annotated[tuple[Span, ...], Field(strict=False)] = ()


class Catalog(_Entry):
    """Everything the markets file says, checked as a whole."""

    instruments: dict[Asset, Instrument] = {}
    markets: Annotated[tuple[Market, ...], Field(strict=False)] = ()
    klines: Annotated[tuple[Klines, ...], Field(strict=False)] = ()
    strategies: Strategies | None = None
    recording: Recording | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [market.name for market in self.markets]
        live = {market.name: market for market in self.markets if market.retired is None}
        for index, market in enumerate(self.markets):
            if market.name in names[:index]:
                raise _LocatedError(("markets", index), f"{market.name} is listed twice: remove one")
            if market.base not in self.instruments:
                raise _LocatedError(
                    ("markets", index, "symbol"),
                    f"no instrument {market.base}: add [instruments.{market.base}] with row_size and lead",
                )
        for base, instrument in self.instruments.items():
            lead = live.get(instrument.lead)
            if lead is None or lead.base != base:
                raise _LocatedError(
                    ("instruments", base, "lead"),
                    f"{instrument.lead!r} is not a live {base} market of this file: "
                    f"name one as 'exchange {base}/QUOTE'",
                )
        keys = [(kline.symbol, kline.interval) for kline in self.klines]
        for index, key in enumerate(keys):
            if key in keys[:index]:
                raise _LocatedError(("klines", index), f"{key[0]} {key[1]} is listed twice: remove one")
        symbols = self.strategies.symbols if self.strategies else ()
        for index, symbol in enumerate(symbols):
            if symbol in symbols[:index]:
                raise _LocatedError(("strategies", "symbols"), f"{symbol} is listed twice: remove one")
        return self

    def live_markets(self) -> tuple[Market, ...]:
        """Markets that still trade, in the file's order."""
        return tuple(market for market in self.markets if market.retired is None)

    def markets_of(self, base: str) -> tuple[Market, ...]:
        """An instrument's markets, the retired ones too, in the file's order."""
        return tuple(market for market in self.markets if market.base == base)

    def time_of(self, now: datetime) -> datetime:
        """The time to judge lags by: now, or the end of a recording."""
        if self.recording is None or not self.recording.minutes:
            return now
        return min(now, max(span.window.end for span in self.recording.minutes))

    def kline_key(self, kline: Klines) -> str:
        """The asset name of a kline series: the symbol, with the interval where one symbol has several."""
        several = sum(other.symbol == kline.symbol for other in self.klines) > 1
        return f"{kline.symbol.lower()}_{kline.interval}" if several else kline.symbol.lower()


class _LocatedError(ValueError):
    """A complaint that knows which key it is about."""

    def __init__(self, location: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.location = location


@cache
def _shipped_variants() -> dict[str, Variant]:
    shipped = load_catalog(SHIPPED).strategies
    return dict(shipped.variants) if shipped else {}


def load_catalog(path: Path) -> Catalog:
    """Read and check a markets file.

    Raises:
        CatalogError: the file is missing, is not TOML, or says something that cannot be; the message
            reads `file:line: what is wrong`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read ({error.strerror}): set VP_MARKETS_FILE") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise CatalogError(f"{path}:{line}: is not UTF-8 text: save it as UTF-8") from error
    try:
        return Catalog.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise CatalogError(
            f"{path}:{line_of_syntax_error(text, error)}: is not valid TOML: {error}"
        ) from error
    except ValidationError as error:
        raise CatalogError("\n".join(_complaints(path, text, error))) from error


def _complaints(path: Path, text: str, error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors():
        cause = problem.get("ctx", {}).get("error")
        location = cause.location if isinstance(cause, _LocatedError) else problem["loc"]
        what = str(cause) if cause is not None else problem["msg"]
        if problem["type"] == "extra_forbidden":
            what = "unknown key: remove it or correct its spelling"
        elif problem["type"] == "missing":
            what = "missing: add it"
        elif "input" in problem and cause is None:
            what += f" (found {problem['input']!r})"
        where = ".".join(str(part) for part in location)
        lines.append(f"{path}:{line_of(text, location)}: {where}: {what}")
    return lines
