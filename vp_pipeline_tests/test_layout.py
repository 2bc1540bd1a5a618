"""Imports go one way."""

import ast
from pathlib import Path

import pytest

import vp_pipeline

PACKAGE = Path(vp_pipeline.__file__).parent

# What each folder may import of the package besides itself. `assets.keys` are names that know no Dagster.
ALLOWED = {
    "analytics": set[str](),
    "exchanges": {"windows"},
    "storage": {"analytics", "windows"},
    "figures": {"analytics"},
    "own_data": {"analytics", "figures"},
    "recordings": set[str](),
    "sandbox": {"recordings"},
    "assets": {
        "analytics",
        "catalog",
        "cluster",
        "exchanges",
        "figures",
        "recordings",
        "settings",
        "storage",
        "upkeep",
        "windows",
    },
    "cluster": {"catalog", "settings"},
    "poller": {"catalog", "exchanges", "settings", "storage", "windows"},
    "upkeep": {"storage"},
    "operations": {"analytics", "catalog", "exchanges", "settings", "storage", "upkeep", "windows"},
    "site": {"analytics", "catalog", "figures", "settings", "storage", "windows"},
    "runtime": {
        "assets.keys",
        "catalog",
        "exchanges",
        "recordings",
        "sandbox",
        "settings",
        "storage",
        "windows",
    },
}
# Of the outside world: where Dagster may be known, and who does no I/O.
KNOW_DAGSTER = {"assets", "cluster", "storage", "runtime"}
NO_IO = {"analytics": {"dagster", "psycopg", "requests", "aiohttp", "ccxt", "plotly", "os", "pathlib", "io"}}


def modules(folder: str) -> list[Path]:
    return sorted((PACKAGE / folder).rglob("*.py"))


def imported(file: Path) -> set[str]:
    """Full names of the modules that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            names.add(str(node.module))
            if node.module == "vp_pipeline" or str(node.module).startswith("vp_pipeline."):
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_every_folder_has_its_rule() -> None:
    folders = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}
    assert folders <= set(ALLOWED)


@pytest.mark.parametrize("folder", ALLOWED)
def test_imports_go_one_way(folder: str) -> None:
    allowed = {f"vp_pipeline.{name}" for name in {folder, *ALLOWED[folder]}}
    for file in modules(folder):
        for name in imported(file):
            if name == "vp_pipeline" or not name.startswith("vp_pipeline."):
                continue
            above = {name.rsplit(".", parts)[0] for parts in range(name.count("."))} | {name}
            partial = any(rule.startswith(f"{name}.") for rule in allowed)
            assert above & allowed or partial, f"{file.relative_to(PACKAGE)} imports {name}"


@pytest.mark.parametrize("folder", ALLOWED)
def test_the_outside_world_is_known_where_it_may_be(folder: str) -> None:
    forbidden = NO_IO.get(folder, set()) | (set() if folder in KNOW_DAGSTER else {"dagster"})
    for file in modules(folder):
        found = {name.split(".")[0] for name in imported(file)} & forbidden
        assert not found, f"{file.relative_to(PACKAGE)} imports {', '.join(found)}"
