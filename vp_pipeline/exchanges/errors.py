"""What can go wrong between us and an exchange, in words for the person who has to mend it.

Here belongs the translation of the clients' exceptions; asking again is up to `patience`.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

import aiohttp
import requests
from binance.error import ClientError, ServerError

from vp_pipeline.exchanges.answer import Answer
from vp_pipeline.exchanges.deadline import DeadlineError
from vp_pipeline.exchanges.frames import BadCandlesError
from vp_pipeline.exchanges.lean import ccxt

LONGEST_WAIT = timedelta(seconds=30)


@dataclass(eq=False)
class FetchError(Exception):
    """One market could not be fetched. `retryable`: asking again soon may help, not before `wait_seconds`.

    `crowded`: the exchange limits our requests, and needs a longer pause than after other failures.
    `unlisted`: the exchange says that it has no such market, which no waiting changes.
    """

    market: str
    reason: str
    retryable: bool = False
    wait_seconds: float | None = None
    crowded: bool = False
    unlisted: bool = False

    def __str__(self) -> str:
        return f"{self.market}: {self.reason}"


def from_ccxt(market: str, error: Exception, answer: Answer) -> FetchError:
    """The same failure, said plainly; of errors not ccxt's own, those its parsers stumble with."""
    detail = _short(error)
    failure = by_status(market, answer)
    if failure is None:
        reason, retryable = _ccxt_reason(error, detail, answer)
        failure = FetchError(
            market,
            reason,
            retryable,
            crowded=isinstance(error, ccxt.DDoSProtection),
            unlisted=isinstance(error, ccxt.BadSymbol),
        )
    return heeding(failure, answer)


def _ccxt_reason(error: Exception, detail: str, answer: Answer) -> tuple[str, bool]:
    """The reason, and whether it may pass."""
    match error:
        case ccxt.BadSymbol():
            return (
                f"the exchange does not list it: correct or retire it in the markets file ({detail})",
                False,
            )
        case ccxt.RequestTimeout():
            return f"no answer in time ({detail})", True
        case ccxt.DDoSProtection():  # and RateLimitExceeded below it
            return f"the exchange limits our requests ({detail})", True
        case BadCandlesError():
            return f"the answer is not candles ({error})", True
        case ccxt.BadResponse():
            return f"the answer is not candles ({detail})", True
        case ccxt.OnMaintenance():
            return f"the exchange is in maintenance ({detail})", True
        case ccxt.OperationFailed():
            return f"cannot be reached ({detail})", True
        case ccxt.BaseError() if isinstance(error.__cause__, aiohttp.ClientError):
            return f"the answer was cut off ({detail})", True
        case ccxt.BaseError():
            # Only an error that ccxt knows by name is the request's fault where the status blames the server.
            server = type(error) is ccxt.ExchangeError and answer.status is not None and answer.status >= 500
            return f"the exchange {'has an error' if server else 'refused the request'} ({detail})", server
        case _:
            return f"the answer is not in the exchange's format ({detail})", True


def from_futures(market: str, error: Exception, answer: Answer) -> FetchError:
    """A failure of the futures connector, which lets its HTTP library's exceptions through."""
    failure = by_status(market, answer)
    if failure is None:
        failure = FetchError(market, *_futures_reason(error, answer))
    return heeding(failure, answer)


def _futures_reason(error: Exception, answer: Answer) -> tuple[str, bool]:
    match error:
        case ClientError(error_code=-1121):
            return "the exchange does not list it: correct or remove it in the markets file", False
        case ClientError():
            text = _cut(str(error.error_message))
            return f"the exchange refused the request (HTTP {error.status_code}: {text})", False
        case ServerError():
            return f"the exchange has an error (HTTP {error.status_code})", True
        case BadCandlesError():
            return f"the answer is not candles ({error})", True
        case requests.Timeout() | DeadlineError():
            return "no answer in time", True
        case requests.RequestException():
            return f"cannot be reached ({type(error).__name__})", True
        # The connector stumbles over an error body without a code.
        case _ if answer.status is not None and 400 <= answer.status < 500:
            return f"the exchange refused the request (HTTP {answer.status}, in no format we know)", False
        case _:
            return f"the answer is not candles ({_short(error)})", True


def by_status(market: str, answer: Answer, who: str = "the exchange") -> FetchError | None:
    """What a status of `who` means whatever the body says; None for the others."""
    match answer.status:
        case 403 | 451:
            return FetchError(
                market,
                f"{who} refuses this address (geoblock or firewall): use another network"
                f" (HTTP {answer.status})",
            )
        case 418:
            until = answer.stay_away_until
            end = f"until {until:%Y-%m-%d %H:%M:%S} UTC" if until else "and does not say until when"
            return FetchError(market, f"{who} has banned this address {end}: ask it less often (HTTP 418)")
        case 429:
            return FetchError(market, f"{who} limits our requests (HTTP 429)", retryable=True, crowded=True)
        case _:
            return None


def heeding(failure: FetchError, answer: Answer) -> FetchError:
    """The failure with the other side's wish to be left alone, terminal if that is for long."""
    wait = answer.stay_away
    if not failure.retryable or wait is None or answer.stay_away_until is None:
        return failure
    if wait > LONGEST_WAIT:
        reason = (
            f"{failure.reason}; it wants no request before {answer.stay_away_until:%Y-%m-%d %H:%M:%S} UTC"
        )
        return FetchError(failure.market, reason)
    return replace(failure, wait_seconds=wait.total_seconds())


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {_cut(str(error))}"


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return f"{text[:160]}{'…' if len(text) > 160 else ''}"
