"""Dagster as far as the choice of stages asks it: what is materialized."""

from collections.abc import Mapping, Sequence

from vp_pipeline.runtime.dagster_api import AssetState, DagsterApi

Path = tuple[str, ...]


class FakeDagster(DagsterApi):
    """Knows until which partition key each asset is materialized, and when each was last."""

    def __init__(
        self, until: Mapping[Path, str] | None = None, last: Mapping[Path, float] | None = None
    ) -> None:
        super().__init__("http://127.0.0.1:1")
        self._until, self._last = until or {}, last or {}

    def materialized_until(self, assets: Sequence[Sequence[str]], first: str) -> str | None:
        ends = [self._until.get(tuple(asset), "") for asset in assets]
        return min(ends) if all(end >= first for end in ends) else None

    def assets(self) -> list[AssetState]:
        return [AssetState(path, last, "step") for path, last in self._last.items()]
