"""The report's first part: what is missed, every ratio, and how far from the limits we are.

Here belongs the Markdown of these tables; what the ratios are is told by each benchmark.
"""

from collections.abc import Iterable, Sequence

from claims import Ratio, times

_HEAD = "| what | ours | against | theirs | ratio | goal |\n|---|---:|---|---:|---:|---:|"


def summary(ratios: Sequence[Ratio]) -> str:
    """The three tables; what is worse than a peer's comes first of all, then the goals that are missed."""
    missed = [one for one in ratios if one.is_missed]
    worse = sorted((one for one in missed if _is_worse(one)), key=lambda one: one.ratio)
    short = sorted((one for one in missed if not _is_worse(one)), key=lambda one: one.reached)
    peers = sorted((one for one in ratios if one.kind == "peer"), key=lambda one: one.what)
    limits = sorted((one for one in ratios if one.kind == "limit"), key=lambda one: -one.ratio)
    return "\n".join(
        [
            "## Worse than others, and goals that are missed\n",
            _table(_rows([*worse, *short])) if missed else "None.",
            "\n## Every ratio against another way\n",
            "How many times ours the other takes; more is better.\n",
            _table(_rows(peers)),
            "\n## Distance to the limits\n",
            "How many times the limit ours takes; less is better. Some limits are physical (one pass over"
            " memory, a raw COPY, bytes over plain sockets), others set. A read below the raw COPY sends"
            " columns packed as one value each, which is fewer bytes and fewer steps than rows.\n",
            _table(_rows(limits)),
        ]
    )


def _is_worse(one: Ratio) -> bool:
    return one.kind == "peer" and one.ratio < 1


def _rows(ratios: Iterable[Ratio]) -> list[str]:
    return [
        f"| {one.what} | {one.shown(one.ours)} | {one.against} | {one.shown(one.theirs)}"
        f" | {times(one.ratio)} | {_goal(one)} |"
        for one in ratios
    ]


def _goal(one: Ratio) -> str:
    if one.goal is None:
        return ""
    return f"{'at most ' if one.kind == 'limit' else ''}{one.goal:,g}"


def _table(rows: Sequence[str]) -> str:
    return "\n".join([_HEAD, *rows])
