"""ccxt with a few exchanges instead of all: half the memory, for a process that lives long and asks few.

Here belongs how ccxt is imported so. Its two packages import every exchange that it knows when they are first
named; their modules do without each other.
"""

import importlib
import sys
from collections.abc import Iterable
from importlib.util import find_spec, module_from_spec
from types import ModuleType

_PACKAGES = ("ccxt", "ccxt.async_support")


def import_only(exchanges: Iterable[str]) -> None:
    """Let `import ccxt.async_support` give these exchanges, by their ids, and ccxt's errors, from now on.

    An id that ccxt does not know is left out. Must come before anything else has imported ccxt; in a
    process that has all of it already nothing changes.
    """
    if "ccxt" in sys.modules:
        return
    ccxt, everything = (_empty(name) for name in _PACKAGES)
    ccxt.async_support = everything  # type: ignore[attr-defined]  # as an import of it would set it
    _take(ccxt, importlib.import_module("ccxt.base.errors"))
    ccxt.Exchange = importlib.import_module("ccxt.base.exchange").Exchange  # type: ignore[attr-defined]
    everything.Exchange = importlib.import_module("ccxt.async_support.base.exchange").Exchange  # type: ignore[attr-defined]
    known = [name for name in dict.fromkeys(exchanges) if find_spec(f"ccxt.async_support.{name}")]
    for name in known:
        setattr(everything, name, getattr(importlib.import_module(f"ccxt.async_support.{name}"), name))
    everything.exchanges = known  # type: ignore[attr-defined]  # ccxt's list of ids


def _empty(name: str) -> ModuleType:
    """The package as it is before its own imports: its modules can be found in it."""
    spec = find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"{name} is not installed: run `make setup`")
    package = module_from_spec(spec)
    sys.modules[name] = package
    return package


def _take(package: ModuleType, errors: ModuleType) -> None:
    for name, value in vars(errors).items():
        if not name.startswith("_"):
            setattr(package, name, value)
