"""A service of Dagster, started with less: `python -m vp_pipeline.runtime.plain MODULE ARG...`.

Dagster imports structlog and mako, which import rich and pygments if these are there: 7 MB of every
service, and none of them writes to a terminal. And imports make hundreds of thousands of objects that stay:
to look for garbage among them again and again is a fifth of their time. Here belongs doing without both; what
services there are is in `services`.
"""

import gc
import sys
from importlib import import_module
from types import ModuleType

COLOURS = ("rich", "pygments")

if __name__ == "__mp_main__":  # a run, which the code server has begun as a process; see `definitions`
    gc.disable()


def without_colours(module: str) -> ModuleType:
    """The module, imported as if COLOURS were not installed; nothing else must have imported them yet."""
    for name in COLOURS:
        sys.modules[name] = None  # type: ignore[assignment]  # importing it is an ImportError then
    return import_module(module)


def main(module: str, *arguments: str) -> None:
    """Become the command whose `main` the module has."""
    gc.disable()
    service = without_colours(module)
    gc.freeze()
    gc.enable()
    sys.argv = [module, *arguments]
    service.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
