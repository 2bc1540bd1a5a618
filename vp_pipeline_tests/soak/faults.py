"""What strikes, and when: everything is drawn from the seed and the number of the round.

Here belong the kinds of faults and their odds. Carrying them out is for `strikes`; what a fault of the wire
does is the sandbox's affair.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from vp_pipeline.sandbox.faults import ARCHIVE

# In simulated time a ban is over by the next tick; the longest wait that a client may be asked for.
_BAN_SECONDS = 900

WireFault = dict[str, Any]

_STATUSES: list[WireFault] = [
    *({"kind": "status", "status": code} for code in (403, 418, 429, 451, 500, 502, 503, 504, 520, 524)),
    {"kind": "status", "status": 429, "retry_after": 0},
    {"kind": "status", "status": 429, "retry_after": _BAN_SECONDS},
    {"kind": "status", "status": 418, "retry_after": _BAN_SECONDS},
    {"kind": "status", "status": 503, "body": "{}"},
    {"kind": "status", "status": 500, "body": "[]"},
]
_OTHERS: list[WireFault] = [
    {"kind": "reset"},
    {"kind": "delay", "seconds": 0.2},
    {"kind": "delay", "seconds": 0.9},
    {"kind": "html"},
    {"kind": "empty_body"},
    {"kind": "truncated"},
    {"kind": "truncated", "connection": "kept"},
    {"kind": "drip", "seconds": 0.9},
    {"kind": "skew", "seconds": 40},
    {"kind": "skew", "seconds": 7200},
    {"kind": "skew", "seconds": -90},
    {"kind": "skew", "seconds": -7200},
    {"kind": "empty_list"},
    {"kind": "short"},
    {"kind": "reordered"},
    {"kind": "duplicated"},
    {"kind": "garbage_rows"},
    {"kind": "revised", "minutes": 3},
    {"kind": "revised", "minutes": 5},
]
_OF_ARCHIVE: list[WireFault] = [
    {"kind": "wrong_checksum"},
    {"kind": "truncated_zip"},
    {"kind": "status", "status": 503},
    {"kind": "reset"},
    {"kind": "truncated"},
]

# Beside the wire's faults: what strikes, and its odds.
_STRIKES: Final[dict[str, int]] = {
    "none": 30,
    "kill run": 12,
    "kill run in COPY": 5,
    "cut connections": 8,
    "cut connection in COPY": 5,
    "kill postgres": 5,
    "kill postgres in COPY": 4,
    "two ticks": 8,
    "clock step": 8,
    "migration": 4,
    "platform off": 6,
    "full disk": 3,
    "backfill of hours": 5,
    "history over a tick": 2,
    "kill profiles": 3,
}
STRIKES: Final = tuple(_STRIKES)
_STALLED: Final = (4, 8, 12, 30, 70, 200)  # minutes
# More requests than a tick makes: a fault with so many holds for a round.
_ALL: Final = 500
OUTAGE: Final = "outage"
"""What a whole exchange says that is down for a round."""


@dataclass(frozen=True)
class Round:
    """One tick with what strikes it.

    `quarters`: how much simulated time passes before it; `wire`: the sandbox's faults; `strike`: one of
    STRIKES, after `seconds`; `step`: by how much a clock step moves this machine's clock; `hours`: how far
    back a backfill goes; `bars_killed`: a run of the perpetual's bars is killed after those seconds.
    """

    number: int
    quarters: int
    wire: tuple[WireFault, ...]
    strike: str
    seconds: float
    step: timedelta
    hours: int
    bars_killed: bool


def draw(seed: int, number: int, markets: Sequence[str], perpetual: str) -> Round:
    """The faults of a round, the same for the same seed; markets and perpetual as `exchange BASE/QUOTE`."""
    chance = random.Random(f"{seed} {number}")
    wire = [_wire(chance, markets) for _ in range(chance.randint(5, 15))]
    if chance.random() < 0.08:
        down = chance.choice(markets).split()[0]
        wire.insert(0, {"exchange": down, "kind": "status", "status": 503, "body": OUTAGE})
    (strike,) = chance.choices(STRIKES, list(_STRIKES.values()))
    if strike == "history over a tick":
        wire += [{**chance.choice(_OF_ARCHIVE), "exchange": ARCHIVE, "count": 1} for _ in range(3)]
    if strike == "platform off" and chance.random() < 0.5:
        # Where most is at stake: it forgets after twelve hours, and might seem to have forgotten more.
        wire.insert(0, {"exchange": "kraken", "kind": "skew", "seconds": 7200, "count": 3})
    wire += [_wire(chance, [perpetual]) for _ in range(chance.randint(1, 4))]
    wire[:0] = _stalls(random.Random(f"{seed} {number} stalls"), markets)
    return Round(
        number,
        quarters=chance.choice((4, 12, 30, 44, 70)) if strike == "platform off" else 1,
        wire=tuple(wire),
        strike=strike,
        seconds=chance.uniform(0.0, 1.2),
        step=timedelta(minutes=chance.choice((-50, -5, 5, 90))),
        hours=chance.randint(2, 24),
        bars_killed=chance.random() < 0.2,
    )


def _stalls(chance: random.Random, markets: Sequence[str]) -> list[WireFault]:
    """Feeds of candles that stand still, while the clock goes on: for some answers, or for a round."""
    stalls: list[WireFault] = []
    for count in (chance.randint(1, 4), _ALL):
        if chance.random() < 0.15:
            exchange = chance.choice(markets).split()[0]
            minutes = chance.choice(_STALLED)
            stalls.append({"exchange": exchange, "kind": "stalled", "minutes": minutes, "count": count})
    return stalls


def _wire(chance: random.Random, markets: Sequence[str]) -> WireFault:
    exchange, symbol = chance.choice(markets).split()
    kinds = _STATUSES if chance.random() < 0.3 else _OTHERS
    fault = {**chance.choice(kinds), "exchange": exchange, "count": chance.randint(1, 3)}
    return fault if chance.random() < 0.5 else {**fault, "market": symbol}
