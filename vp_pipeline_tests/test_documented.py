"""What the documents show and no test types in: listed, understood, and it refers to what there is."""

import itertools
import os
import re
import shlex
import subprocess
from pathlib import Path
from unittest.mock import patch

import click
import pytest
import yaml  # type: ignore[import-untyped]  # no stubs; it comes with Dagster

from vp_pipeline.analytics import rules, strategy
from vp_pipeline.analytics.look_ahead import look_ahead
from vp_pipeline.analytics.strategy import configured
from vp_pipeline.catalog import SHIPPED, load_catalog
from vp_pipeline.cli import LazyGroup, main
from vp_pipeline_tests.analytics.histories import bars_history
from vp_pipeline_tests.documented import (
    DOCUMENTS,
    ELSEWHERE,
    NO_COMMANDS,
    ROOT,
    after_vp,
    blocks,
    commands,
    elsewhere,
    programs,
    sessions,
)
from vp_pipeline_tests.soak.__main__ import main as soak

CONTRIBUTING = ROOT / "CONTRIBUTING.md"
LISTED = [
    line for line in dict.fromkeys(line for page in DOCUMENTS for line in commands(page)) if elsewhere(line)
]


def test_what_is_listed_is_shown_and_what_covers_it_exists() -> None:
    assert {elsewhere(line) for line in LISTED} == ELSEWHERE.keys()
    assert NO_COMMANDS.keys() <= {one.text.split("\n", 1)[0] for page in DOCUMENTS for one in blocks(page)}
    assert all((ROOT / file).exists() for one in ELSEWHERE.values() for file in one.by)


def test_every_block_is_of_a_kind_that_is_looked_at() -> None:
    for page in DOCUMENTS:
        assert {block.language for block in blocks(page)} <= {"", "console", "mermaid", "python", "toml"}
        assert not programs(page) or sessions(page) or page == CONTRIBUTING, "nobody runs its program"


@pytest.mark.parametrize("command", [line for line in LISTED if after_vp(line)])
def test_a_command_that_runs_elsewhere_has_options_that_it_takes(command: str, tmp_path: Path) -> None:
    assert isinstance(main, LazyGroup)
    backup = tmp_path / "NAME.tar"
    backup.touch()
    words = after_vp(command.replace("/backups/NAME.tar", str(backup)) if "restore" in command else command)
    assert words is not None
    name, *arguments = words
    found = main.get_command(click.Context(main), name)
    assert found is not None
    found.make_context(name, arguments)


@pytest.mark.parametrize("command", [line for line in LISTED if re.match(r"(sudo )?make\b", line)])
def test_make_knows_what_it_is_asked_for(command: str) -> None:
    here = command.removeprefix("sudo ").replace("-C /opt/vp-pipeline ", "")
    dry = re.sub(r"\bmake\b", "make --dry-run --no-print-directory", here)
    script = dry.replace("DIR", "recording", 1)
    # What the make that runs these tests was given is not meant for another.
    kept = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "ARGS")}
    told = subprocess.run(
        ["bash", "-ec", script], cwd=ROOT, env=kept, capture_output=True, text=True, check=True
    ).stdout
    assert told
    for line in told.splitlines():
        if "vp_pipeline_tests.soak" in line:
            soak.make_context("soak", shlex.split(line.split("vp_pipeline_tests.soak", 1)[1]))


@pytest.mark.parametrize("command", [line for line in LISTED if line.startswith("docker ")])
def test_docker_is_asked_for_files_services_and_profiles_that_there_are(command: str) -> None:
    words = shlex.split(command)
    files = [after for word, after in itertools.pairwise(words) if word == "-f"]
    if words[1] == "build":
        assert [ROOT / file for file in files] == [ROOT / "docker" / "Dockerfile"]
        assert words[-1] == "."
        return
    services: dict[str, dict[str, list[str]]] = {}
    # Without -f it is what COMPOSE_FILE names, which the page says.
    for file in files or sorted(file.name for file in (ROOT / "docker").glob("compose*.yaml")):
        for name, service in yaml.safe_load((ROOT / "docker" / file).read_text())["services"].items():
            services.setdefault(name, {}).update(service)
    for before, word in itertools.pairwise(words):
        if before == "--profile":
            assert word in {name for service in services.values() for name in service.get("profiles", [])}
        elif before == "exec":
            assert word in services
    if "up" in words:
        scaled = {word.split("=")[0] for word in words if "=" in word}
        named = {
            word for word in words[words.index("up") + 1 :] if not word.startswith("-") and "=" not in word
        }
        assert named | scaled <= services.keys()
    assert "cp" not in words or words[words.index("cp") + 1].split(":")[0] in services


@pytest.mark.parametrize("command", [line for line in LISTED if "workspace.yaml" in line])
def test_dagster_is_given_a_workspace(command: str) -> None:
    assert (ROOT / shlex.split(command)[-1]).exists()


def test_the_tables_shown_fit_into_the_markets_file(tmp_path: Path) -> None:
    shown = [block.text for page in DOCUMENTS for block in blocks(page) if re.match(r"\[+[a-z]+", block.text)]
    assert len(shown) == 4
    file = tmp_path / "markets.toml"
    for added in shown:
        file.write_text(f"{SHIPPED.read_text()}\n{added}")
        assert load_catalog(file) != load_catalog(SHIPPED)


def test_the_strategy_shown_is_one() -> None:
    (program,) = programs(CONTRIBUTING)
    with patch.dict(strategy._LISTED):
        # At the end of the module that the document names.
        module = f"{Path(rules.__file__).read_text()}\n\n{program}"
        exec(compile(module, rules.__file__, "exec", dont_inherit=True), {"__name__": rules.__name__})
        (name,) = re.findall(r"^def (\w+)", program, re.MULTILINE)
        (table,) = [block.text for block in blocks(CONTRIBUTING) if block.language == "toml"]
        assert table.startswith(f"[strategies.variants.{name}]")
        shown = configured(name, {"least": 0.02})
        found = look_ahead(shown.weights, bars_history(days=60))
        assert (found.days, found.tested) == ((), 60)
        assert shown.weights(bars_history(days=60)).sum(axis=None) > 0
