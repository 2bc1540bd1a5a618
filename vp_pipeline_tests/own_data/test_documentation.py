"""The pages on files of one's own: their programs make the files, and each command prints what is shown."""

import shlex
from pathlib import Path

import pytest

from vp_pipeline_tests.documented import DOCUMENTS, programs, sessions
from vp_pipeline_tests.own_data.candle_files import run

PAGES = [page for page in DOCUMENTS if sessions(page)]


def test_every_command_has_an_example() -> None:
    shown = [shlex.split(command)[1] for page in PAGES for command, _ in sessions(page)]
    assert shown == ["profile", "volatility", "sessions", "tearsheet", "strategies"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_shows_what_is_printed(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for program in programs(page):
        exec(compile(program, page.name, "exec"), {})
    for command, printed in sessions(page):
        name, *arguments = shlex.split(command)
        result = run(*arguments)
        assert (name, result.exit_code, result.output) == ("vp", 0, printed)
