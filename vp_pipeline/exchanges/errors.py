"""What can go wrong between us and an exchange, in words for the person who has to mend it.

Here belongs the translation of the clients' exceptions; deciding whether to ask again is in the clients.
"""

from dataclasses import dataclass

import ccxt
import requests
from binance.error import ClientError, ServerError


@dataclass
class FetchError(Exception):
    """One market could not be fetched. `retryable`: asking again soon may help."""

    market: str
    reason: str
    retryable: bool = False

    def __str__(self) -> str:
        return f"{self.market}: {self.reason}"


def from_ccxt(market: str, error: ccxt.BaseError) -> FetchError:
    """The same failure, said plainly."""
    detail = _short(error)
    match error:
        case ccxt.BadSymbol():
            return FetchError(
                market, f"the exchange does not list it: correct or retire it in the markets file ({detail})"
            )
        case ccxt.PermissionDenied():
            return FetchError(
                market,
                f"the exchange refuses this address (geoblock or firewall): use another network ({detail})",
            )
        case ccxt.RequestTimeout():
            return FetchError(market, f"no answer in time ({detail})", retryable=True)
        case ccxt.DDoSProtection():  # and RateLimitExceeded below it
            return FetchError(market, f"the exchange limits our requests ({detail})", retryable=True)
        case ccxt.BadResponse():
            return FetchError(market, f"the answer is not candles ({detail})", retryable=True)
        case ccxt.OnMaintenance():
            return FetchError(market, f"the exchange is in maintenance ({detail})", retryable=True)
        case ccxt.OperationFailed():
            return FetchError(market, f"cannot be reached ({detail})", retryable=True)
        case _:
            return FetchError(market, f"the exchange refused the request ({detail})")


def from_futures(market: str, error: Exception) -> FetchError:
    """A failure of the futures connector, which lets its HTTP library's exceptions through."""
    match error:
        case ClientError(status_code=418 | 429 as status):
            return FetchError(market, f"the exchange limits our requests (HTTP {status})", retryable=True)
        case ClientError(status_code=403 | 451 as status):
            return FetchError(
                market, f"the exchange refuses this address (HTTP {status}): use another network"
            )
        case ClientError(error_code=-1121):
            return FetchError(
                market, "the exchange does not list it: correct or remove it in the markets file"
            )
        case ClientError():
            return FetchError(market, f"the exchange refused the request ({error.error_message})")
        case ServerError():
            return FetchError(market, f"the exchange has an error (HTTP {error.status_code})", retryable=True)
        case requests.Timeout():
            return FetchError(market, "no answer in time", retryable=True)
        case requests.RequestException():
            return FetchError(market, f"cannot be reached ({type(error).__name__})", retryable=True)
        case _:
            return FetchError(
                market, f"the answer is not candles ({type(error).__name__}: {_short(error)})", retryable=True
            )


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:160]}{'…' if len(text) > 160 else ''}"
