"""What the documents name exists, and what exists is documented."""

import re
from datetime import timedelta
from pathlib import Path

import click
import pytest
from pydantic_core import PydanticUndefined

from vp_pipeline.analytics.sessions import SESSIONS
from vp_pipeline.analytics.strategies import STRATEGIES
from vp_pipeline.catalog import SHIPPED, Catalog
from vp_pipeline.cli import LazyGroup, main
from vp_pipeline.exchanges import futures
from vp_pipeline.exchanges.traits import TRAITS
from vp_pipeline.sandbox.wire import WIRES
from vp_pipeline.settings import Settings
from vp_pipeline_tests.documented import DOCUMENTS, ROOT

CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
LARGEST_PICTURE = 200_000

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def code(document: Path) -> list[str]:
    """Everything set as code: indented lines and what stands between backticks."""
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    return [*re.findall(r"^ {4,}(\S.*)$", text, re.MULTILINE), *re.findall(r"`([^`\n]+)`", text)]


def targets() -> set[str]:
    """The commands that `make help` lists."""
    return set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))


def rows(document: str, first_cell: str) -> list[list[str]]:
    """Cells of the table rows whose first cell matches."""
    lines = [line.strip("|\n ").split("|") for line in document.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line] for line in lines]
    return [row for row in cells if re.fullmatch(first_cell, row[0])]


@documents
def test_make_commands_exist(document: Path) -> None:
    for command in code(document):
        if command.startswith("make "):
            names = [word for word in command.split("#")[0].split()[1:] if re.fullmatch("[a-z]+", word)]
            assert set(names) <= targets(), command


def test_every_make_command_is_documented() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    assert targets()
    assert not {name for name in targets() if f"`make {name}`" not in contributing}


@documents
def test_vp_commands_and_their_options_exist(document: Path) -> None:
    assert isinstance(main, LazyGroup)
    context = click.Context(main)
    for text in code(document):
        found = re.match(r"(?:\.venv/bin/)?vp (\w+)(.*)", text)
        if found is None:
            continue
        command = main.get_command(context, found[1])
        assert command is not None, text
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", found[2])) <= known, text


@documents
def test_named_files_and_links_exist(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text())
    for link in links:
        if not link.startswith("https://"):
            assert (document.parent / link).exists(), link
    for text in code(document):
        if re.fullmatch(r"(vp_pipeline|vp_pipeline_tests|benchmarks|docs|\.ci)/[\w./-]+", text):
            assert (ROOT / text).exists(), text
        elif re.fullmatch(r"(analytics|assets|exchanges|figures|sandbox|site|storage)/[\w./]+", text):
            assert (ROOT / "vp_pipeline" / text).exists(), text


def test_pictures_are_small_and_shown() -> None:
    readme = (ROOT / "README.md").read_text()
    pictures = sorted((ROOT / "docs" / "images").iterdir())
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < LARGEST_PICTURE
        assert f"](docs/images/{picture.name})" in readme


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    field = Settings.model_fields[name]
    default = f"`{str(field.default).rstrip('/')}`"
    if field.default is PydanticUndefined:
        default = "required"
    elif field.default is None:
        default = "not set"
    elif field.default == SHIPPED:
        default = "`vp_pipeline/markets.toml`"
    assert f"| `VP_{name.upper()}` | {default} | {field.description} |" in CONFIGURATION


@documents
def test_every_documented_variable_is_read(document: Path) -> None:
    readers = [ROOT / "dagster.yaml", ROOT / "workspace.yaml", *ROOT.glob("vp_pipeline*/**/*.py")]
    readers += [ROOT / "docker" / "compose.yaml", *ROOT.glob("docker/*.py"), *ROOT.glob("benchmarks/*.py")]
    read = {f"VP_{name.upper()}" for name in Settings.model_fields}
    for file in readers:
        if file != Path(__file__):
            read |= set(re.findall(r"\bVP_[A-Z_]+\b", file.read_text()))
    assert set(re.findall(r"\bVP_[A-Z_]+\b", document.read_text())) <= read


def test_every_key_of_the_markets_file_is_documented() -> None:
    section = CONFIGURATION[CONFIGURATION.index("## The markets file") :]
    keys = [key for field in Catalog.model_fields.values() for key in _keys(field.annotation)]
    assert {"row_size", "retired", "interval", "symbols", "minutes"} <= set(keys)
    assert not [key for key in keys if f"`{key}`" not in section]


def _keys(annotation: object) -> list[str]:
    """Keys of the tables within a type such as tuple[Market, ...]."""
    inner = [key for argument in getattr(annotation, "__args__", ()) for key in _keys(argument)]
    return inner or list(getattr(annotation, "model_fields", {}))


def test_the_table_of_exchanges_is_true() -> None:
    table = {
        row[1].strip("`"): row for row in rows((ROOT / "README.md").read_text(), "[A-Z].*") if len(row) == 7
    }
    assert set(table) == set(WIRES)
    for name, traits in TRAITS.items():
        depth = "years" if traits.depth is None else f"{traits.depth // timedelta(minutes=1):,} minutes"
        assert table[name][2:4] == [str(traits.page), depth]
    assert table[futures.EXCHANGE][2] == str(futures.PAGE)
    assert all("never live" in row[6] for row in table.values())


def test_the_table_of_sessions_is_true() -> None:
    definitions = (ROOT / "docs" / "definitions.md").read_text()
    for name, (start, end) in SESSIONS.items():
        assert rows(definitions, name) == [[name, f"{start} to {end}"]]


def test_the_table_of_strategies_is_true() -> None:
    definitions = (ROOT / "docs" / "definitions.md").read_text()
    for name, strategy in STRATEGIES.items():
        (row,) = rows(definitions, f"`{name}`")
        assert row[2].strip("`") == strategy.benchmark
        assert ("Looks ahead" in row[1]) == strategy.looks_ahead
