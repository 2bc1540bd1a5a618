"""The examples of docs/own-returns.md, run as they are printed."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from vp_pipeline.cli import main

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "own-returns.md"


def test_every_example_prints_what_the_document_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (lines,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(lines, DOCUMENT.name, "exec"), {})
    examples = re.findall(r"```console\n\$ vp ([^\n]*)\n(.*?)```", text, re.DOTALL)
    assert [command.split()[0] for command, _ in examples] == ["tearsheet", "strategies"]
    for command, printed in examples:
        result = CliRunner().invoke(main, shlex.split(command))
        assert (result.exit_code, result.output) == (0, printed)
