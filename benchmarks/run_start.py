"""How soon a run begins: forked from what the code server has loaded, and as a new interpreter.

    .venv/bin/python benchmarks/run_start.py [--runs N]

Both are started as Dagster's code server does, through `multiprocessing`, and end when the definitions and
Dagster's storage are loaded; what a job imports for its work is the same for both and
not counted. Runs take turns, medians count. The memory is this process's and the fork server's, in shared
parts (PSS), beside this process's alone before it split the fork server off; a code server that has served
for a while has changed more pages, for which see `make figures`.
"""

import argparse
import gc
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.context import BaseContext
from multiprocessing.queues import Queue
from typing import Any

import psutil
from claims import Ratio, tell

from vp_pipeline.runtime import code_server, fork_server

if __name__ == "__mp_main__":  # as in the code server's own
    gc.disable()


def load(queue: "Queue[float]") -> None:
    """What a run has before it begins; its seconds of processor."""
    code_server.load()
    queue.put(time.process_time())


def start(context: Any) -> tuple[float, float]:
    """Seconds from the start of a process to the end of `load`, and those of processor in it."""
    queue = context.Queue()
    process = context.Process(target=load, args=(queue,))
    began = time.perf_counter()
    process.start()
    processor = queue.get(timeout=120)
    seconds = time.perf_counter() - began
    process.join()
    return seconds, processor


def medians(forked: BaseContext, anew: BaseContext, runs: int) -> list[tuple[float, float]]:
    """Of both in turn: seconds, and of those of processor."""
    turns = [(start(forked), start(anew)) for _ in range(runs + 1)][1:]
    return [
        (statistics.median(one[0] for one in column), statistics.median(one[1] for one in column))
        for column in zip(*turns, strict=True)
    ]


def pss(processes: Sequence[psutil.Process]) -> float:
    return float(sum(process.memory_full_info().pss for process in processes))


def main() -> None:
    parser = argparse.ArgumentParser(description="How soon a run begins.")
    parser.add_argument("--runs", type=int, default=7, help="of each way")
    options = parser.parse_args()
    if not fork_server.SUPPORTED:
        raise SystemExit("runs are not forked on this system or with this Python")
    own = psutil.Process()
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"VP_HOME": home, "VP_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
        code_server.load()
        alone = pss([own])
        forked = fork_server.split_off()
        (ours, our_processor), (theirs, their_processor) = medians(forked, get_context("spawn"), options.runs)
        (server,) = (one for one in own.children() if one.name() == fork_server.FORK_SERVER)
        both = pss([own, server])
    print("| a run begins | seconds | of a processor |")
    print("|---|---:|---:|")
    print(f"| forked | {ours:.2f} | {our_processor:.2f} |")
    print(f"| as a new interpreter | {theirs:.2f} | {their_processor:.2f} |")
    print(f"\nThe fork server costs {(both - alone) / 1e6:.0f} MB beside {alone / 1e6:.0f} MB.")
    tell(
        Ratio("start of a run", "a new interpreter", ours, theirs),
        Ratio("start of a run, processor", "a new interpreter", our_processor, their_processor),
    )


if __name__ == "__main__":
    main()
