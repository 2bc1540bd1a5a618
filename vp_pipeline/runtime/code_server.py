"""Dagster's code server as the platform starts it: `python -m vp_pipeline.runtime.code_server HOST PORT`.

Here belongs what is loaded before it serves, and that runs are forked from that, see `fork_server`; runs that
an earlier server left are for `code_service`.

Where runs are not forked, each is a process that imports this first, as its server did. Imports make
hundreds of thousands of objects that stay, and looking for garbage among them is a fifth of their time: such
a run does without until `definitions` is loaded. The server looks for it, which leaves it up to 4 MB smaller.
"""

import gc
import sys
from functools import wraps
from importlib import import_module
from multiprocessing.context import BaseContext
from typing import Any

from vp_pipeline.runtime import fork_server
from vp_pipeline.runtime.plain import colours_again, import_shared, without_colours

MODULE = "vp_pipeline.definitions"

if __name__ == "__mp_main__":  # a run's process
    gc.disable()


def main(host: str, port: str) -> None:
    """Load the definitions, then serve them."""
    service = without_colours("dagster._cli")
    if fork_server.SUPPORTED:
        load()
        _fork_runs(fork_server.split_off())
    where = ["-m", MODULE, "-a", "defs", "--location-name", "vp_pipeline"]
    sys.argv = ["dagster", "api", "grpc", *where, "-h", host, "-p", port]
    service.main()


def load() -> None:
    """What the server needs before it answers, and every run before it begins."""
    import_shared()
    # By its name, as Dagster loads it: what starts processes does not depend on what they run.
    definitions: Any = import_module(MODULE)
    definitions.defs.get_repository_def().load_all_definitions()
    colours_again()  # some of what only runs import wants them
    gc.collect()
    gc.freeze()


def _fork_runs(context: BaseContext) -> None:
    """Have Dagster's server start runs by this context."""
    from dagster._grpc.server import DagsterApiServer

    server_class: Any = DagsterApiServer  # it has no option for this
    begin = server_class.__init__

    @wraps(begin)
    def init(server: Any, *arguments: Any, **options: Any) -> None:
        begin(server, *arguments, **options)
        server._mp_ctx = context

    server_class.__init__ = init


if __name__ == "__main__":
    main(*sys.argv[1:])
