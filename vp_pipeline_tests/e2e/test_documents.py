"""Every command that the documents show, as a reader types it, on a platform that runs.

What runs elsewhere, and why, is listed in `documented`.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from vp_pipeline.storage import embedded
from vp_pipeline_tests.documented import DOCUMENTS, ROOT, commands, elsewhere, programs, sessions
from vp_pipeline_tests.e2e.conftest import Running
from vp_pipeline_tests.operations.test_export import read_csv, read_parquet

pytestmark = [pytest.mark.platform, pytest.mark.timeout(1800)]

TO_RUN = {page: [line for line in commands(page) if elsewhere(line) is None] for page in DOCUMENTS}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """What a reader stands in: the repository with its environment, and the files that the documents make."""
    # Not pytest's own: as root the database runs as another user, whom pytest would lock out again.
    with tempfile.TemporaryDirectory(prefix="vp-documents-") as name:
        reader = Path(name)
        (reader / ".venv").symlink_to(sys.prefix)
        shutil.copytree(ROOT / "docker", reader / "docker", ignore=shutil.ignore_patterns(".env"))
        # Else curl takes a page that says what was wrong for a success.
        (reader / ".curlrc").write_text("fail\nsilent\nshow-error\n")
        for program in [program for page in DOCUMENTS if sessions(page) for program in programs(page)]:
            subprocess.run([sys.executable, "-c", program], cwd=reader, check=True)
        yield reader


@pytest.fixture(scope="module")
def server_of_ones_own(folder: Path) -> Iterator[str]:
    """Address of a database that is not there yet."""
    server = embedded.start(folder / "own")
    yield server.url("vp")
    server.stop()


@pytest.mark.parametrize("document", [page for page, lines in TO_RUN.items() if lines], ids=lambda p: p.name)
def test_commands_do_what_they_are_shown_for(
    running: Running, folder: Path, server_of_ones_own: str, document: Path
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl: install Debian's package curl")
    here = {"http://127.0.0.1:8080": running.site, "postgresql://vp@db/vp": shlex.quote(server_of_ones_own)}
    script = "".join(f"{line}\nprintf '\\0'\n" for line in TO_RUN[document])
    for shown, real in here.items():
        script = script.replace(shown, real)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VP_")}
    path = os.pathsep.join([str(folder / ".venv" / "bin"), os.environ["PATH"]])
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**kept, "VP_HOME": str(running.home), "PATH": path, "CURL_HOME": str(folder), "NO_PROXY": "*"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    *printed, rest = result.stdout.split("\0")
    failed = [*TO_RUN[document], "the shell"][len(printed)]
    assert result.returncode == 0, f"{failed}: {rest}{result.stderr}"
    for line, told in zip(TO_RUN[document], printed, strict=True):
        _came_of_it(line, told, folder)


def _came_of_it(command: str, printed: str, folder: Path) -> None:
    """A command that ends well has also done something."""
    file = re.search(r"--out (\S+\.(?:csv|parquet))", command)
    if command.startswith("curl "):
        rows = json.loads(printed)["rows"] if printed.startswith("{") else printed.splitlines()[1:]
        assert rows, command
    elif file is not None:
        out = folder / file[1]
        frame = read_csv(out) if out.suffix == ".csv" else read_parquet(out)[0]
        assert len(frame) > 0, command
    elif command.startswith("for name in POSTGRES"):
        written = (folder / "docker" / ".env").read_text()
        passwords = re.findall(r"^(\w+)_PASSWORD=([0-9a-f]{32})$", written, re.MULTILINE)
        assert [name for name, _ in passwords] == ["POSTGRES", "WRITER", "READER", "DAGSTER"]
        assert len({password for _, password in passwords}) == len(passwords)
    elif command not in ("cd docker", "cp .env.example .env"):
        assert printed.strip(), f"{command} prints nothing"
