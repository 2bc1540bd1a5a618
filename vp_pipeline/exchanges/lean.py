"""ccxt, of which an exchange is imported when a client of it is made: half the memory and the time of all.

Here belongs how ccxt is imported so: as `from vp_pipeline.exchanges.lean import ccxt`, which has its errors
and no exchange. Its two packages would import every exchange that it knows when they are first named; their
modules do without each other. In a process that has all of ccxt already nothing changes.
"""

import importlib
import pkgutil
import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

_PACKAGE, _CLIENTS = "ccxt", "ccxt.async_support"


def client(exchange: str) -> type[Any]:
    """ccxt's asynchronous client of one of `EXCHANGES`."""
    found: type[Any] = getattr(importlib.import_module(f"{_CLIENTS}.{exchange}"), exchange)
    return found


def _imported() -> ModuleType:
    if _PACKAGE in sys.modules:
        return sys.modules[_PACKAGE]
    package, clients = _empty(_PACKAGE), _empty(_CLIENTS)
    package.async_support = clients  # type: ignore[attr-defined]  # as an import of it would set it
    for name, value in vars(importlib.import_module("ccxt.base.errors")).items():
        if not name.startswith("_"):
            setattr(package, name, value)
    # Its clients' base looks for it here.
    package.Exchange = importlib.import_module("ccxt.base.exchange").Exchange  # type: ignore[attr-defined]
    return package


def _empty(name: str) -> ModuleType:
    """The package as it is before its own imports: its modules can be found in it."""
    spec = find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"{name} is not installed: run `make setup`")
    package = module_from_spec(spec)
    sys.modules[name] = package
    return package


ccxt: Any = _imported()
EXCHANGES = frozenset(
    module.name
    for module in pkgutil.iter_modules(importlib.import_module(_CLIENTS).__path__)
    if not module.ispkg
)
"""The ids that ccxt knows."""
