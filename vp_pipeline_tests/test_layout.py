"""Imports go one way."""

import ast
from pathlib import Path

import pytest

import vp_pipeline

PACKAGE = Path(vp_pipeline.__file__).parent

# What each folder, and each module beside them, may import of the package besides itself. `assets.keys` are
# names that know no Dagster; `cli` imports a command's module when it is called.
ALLOWED = {
    "windows": set[str](),
    "toml_lines": set[str](),
    "catalog": {"toml_lines", "windows"},
    "settings": {"catalog", "storage.address", "windows"},
    "cli": set[str](),
    "definitions": {"assets", "settings"},
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
# Of the outside world: where Dagster may be known, and all that those know who do no I/O.
KNOW_DAGSTER = {"assets", "cluster", "storage", "runtime"}
LANGUAGE = {
    "__future__",
    "collections",
    "dataclasses",
    "functools",
    "inspect",
    "itertools",
    "types",
    "typing",
}
NO_IO = {
    # A strategy of one's own is imported by its name.
    "analytics": {
        *LANGUAGE,
        "fractions",
        "importlib",
        "math",
        "numpy",
        "pandas",
        "scipy",
        "statistics",
    },
    "windows": {*LANGUAGE, "datetime"},
}


def modules(name: str) -> list[Path]:
    """Of a folder; or the one module of this name."""
    own = PACKAGE / f"{name}.py"
    return [own] if own.exists() else sorted((PACKAGE / name).rglob("*.py"))


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


def test_every_folder_and_module_has_its_rule() -> None:
    folders = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}
    beside = {module.stem for module in PACKAGE.glob("*.py")} - {"__init__"}
    assert folders | beside == set(ALLOWED)


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
    for file in modules(folder):
        outside = {name.split(".")[0] for name in imported(file)} - {"vp_pipeline"}
        wrong = outside - NO_IO.get(folder, outside)
        if folder not in KNOW_DAGSTER:
            wrong |= outside & {"dagster"}
        assert not wrong, f"{file.relative_to(PACKAGE)} imports {', '.join(sorted(wrong))}"
