"""A service of Dagster without what colours a terminal: `python -m vp_pipeline.runtime.plain MODULE ARG...`.

Dagster imports structlog and mako, which import rich and pygments if these are there: 7 MB of every
service, and none of them writes to a terminal. Here belongs doing without them; what services there are is
in `services`.

A run is a process that imports this first, as its server did. Imports make hundreds of thousands of objects
that stay, and looking for garbage among them is a fifth of their time: a run does without until `definitions`
is loaded. A service looks for it, which leaves it up to 4 MB smaller.
"""

import gc
import sys
from importlib import import_module
from types import ModuleType

COLOURS = ("rich", "pygments")

if __name__ == "__mp_main__":  # a run's process
    gc.disable()


def without_colours(module: str) -> ModuleType:
    """The module, imported as if COLOURS were not installed; nothing else must have imported them yet."""
    for name in COLOURS:
        sys.modules[name] = None  # type: ignore[assignment]  # importing it is an ImportError then
    return import_module(module)


def main(module: str, *arguments: str) -> None:
    """Become the command whose `main` the module has."""
    service = without_colours(module)
    sys.argv = [module, *arguments]
    service.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
