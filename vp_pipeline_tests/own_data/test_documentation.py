"""The examples of docs/own-data.md: its file, and what each command prints of it."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from vp_pipeline_tests.conftest import REPOSITORY
from vp_pipeline_tests.own_data.candle_files import run

PAGE = (REPOSITORY / "docs" / "own-data.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```console\n\$ vp (.*?)\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's own program has written its file."""
    where = tmp_path_factory.mktemp("documentation")
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    subprocess.run([sys.executable, "-c", program], cwd=where, check=True)
    return where


def test_every_command_has_an_example() -> None:
    assert [shlex.split(command)[0] for command, _ in EXAMPLES] == ["profile", "volatility", "sessions"]


@pytest.mark.parametrize(("command", "printed"), EXAMPLES, ids=lambda text: text.split()[0])
def test_the_page_shows_what_is_printed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str, printed: str
) -> None:
    monkeypatch.chdir(folder)
    result = run(*shlex.split(command))
    assert (result.exit_code, result.stdout) == (0, printed)
