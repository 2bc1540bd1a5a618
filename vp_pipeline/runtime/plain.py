"""A service of Dagster without what colours a terminal: `python -m vp_pipeline.runtime.plain MODULE ARG...`.

Dagster imports structlog and mako, which import rich and pygments if these are there: 7 MB of every
service, and none of them writes to a terminal. Here belongs doing without them, and what every
service imports; what services there are is in `services`, and what the webserver refuses in `same_origin`.
"""

import sys
from importlib import import_module
from types import ModuleType

from vp_pipeline.runtime import same_origin

COLOURS = ("rich", "pygments")
# How services speak with the code server, and what `dagster.yaml` names.
_SHARED = (
    "dagster._grpc.client",
    "dagster._grpc.server",
    "dagster_postgres.run_storage",
    "dagster_postgres.schedule_storage",
    "vp_pipeline.runtime.run_queue",
    "vp_pipeline.storage.event_log",
)


def without_colours(module: str) -> ModuleType:
    """The module, imported as if COLOURS were not installed; nothing else must have imported them yet."""
    for name in COLOURS:
        sys.modules[name] = None  # type: ignore[assignment]  # importing it is an ImportError then
    return import_module(module)


def command(module: str) -> ModuleType:
    """The module of a service's command: without colours, and closed to other pages if it serves pages."""
    found = without_colours(module)
    if module == same_origin.WEBSERVER:
        same_origin.guard(found)
    return found


def import_shared() -> None:
    """What every service of Dagster imports sooner or later."""
    for module in _SHARED:
        import_module(module)


def colours_again() -> None:
    """Let imports find COLOURS from now on."""
    for name in COLOURS:
        if name in sys.modules and sys.modules[name] is None:
            del sys.modules[name]


def main(module: str, *arguments: str) -> None:
    """Become the command whose `main` the module has."""
    service = command(module)
    sys.argv = [module, *arguments]
    service.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
