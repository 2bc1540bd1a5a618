"""What the documents show as code: blocks, the commands in them, and which of those run elsewhere.

Here belongs reading the documents. Everything that a block shows is run by a test: `e2e/test_documents.py`
runs each command that is not listed here, so that a new one is run without further ado.
"""

import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@dataclass(frozen=True)
class Block:
    """`language` is that of the fence, empty for indented lines, which are commands unless listed below."""

    document: Path
    language: str
    text: str


@dataclass(frozen=True)
class Elsewhere:
    """Why a command is not run as it stands, and the files by which what it does is run or checked."""

    why: str
    by: tuple[str, ...] = ()


# Indented blocks that are no commands, by their first line, and who looks at them.
NO_COMMANDS = {
    "[[markets]]": "vp_pipeline_tests/test_docs.py",
    "[[klines]]": "vp_pipeline_tests/test_documented.py",
    "[instruments.SOL]": "vp_pipeline_tests/test_docs.py",
    "vp_pipeline/": "vp_pipeline_tests/test_docs.py",
    "cgroup_enable=memory cgroup_memory=1": "words for a Pi's kernel",
    "VP_PUBLIC_URL=https://vp.example.org": "vp_pipeline_tests/test_docker.py",
}

_TESTS = "vp_pipeline_tests"
_SELF = Elsewhere("it is what runs this test", (".ci/run",))
_BACKFILL = Elsewhere("it asks live exchanges, for years", (f"{_TESTS}/runtime/test_backfill.py",))
_LASTS = "it runs until it is stopped"
_WORKER = Elsewhere("it needs two more machines", (f"{_TESTS}/cluster/machines.py",))
_DOCKER = Elsewhere("it needs Docker", (f"{_TESTS}/test_docker.py",))
_SOAK = Elsewhere(
    "it takes minutes to hours", (f"{_TESTS}/soak/test_soak.py", f"{_TESTS}/soak/test_whole.py")
)
_NETWORK = Elsewhere("it needs a network and an address that the reader knows")
_MACHINE = Elsewhere("it changes the machine")

# By the command as it is shown, or with a star by how it begins.
ELSEWHERE = {
    "make demo": Elsewhere(_LASTS, (f"{_TESTS}/runtime/test_platform.py",)),
    "make demo REPLAY=DIR": Elsewhere(_LASTS, (f"{_TESTS}/e2e/conftest.py",)),
    "make up": Elsewhere("it asks live exchanges", (f"{_TESTS}/runtime/test_commands.py",)),
    "make setup": _SELF,
    "make test": _SELF,
    'make test ARGS="-k profile"': _SELF,
    "make soak*": _SOAK,
    ".venv/bin/vp backfill --from 2021-01-01 --to 2024-01-01": _BACKFILL,
    ".venv/bin/vp backfill --from 2021-01-01 --to 2024-01-01 --klines": _BACKFILL,
    ".venv/bin/vp backfill --from 2023-01-01 --to 2024-01-01 --market"
    ' "binance BTC/USDT" --market "kraken BTC/USD"': _BACKFILL,
    ".venv/bin/vp backfill --dagster *": _WORKER,
    "export VP_BROKER_URL=redis://:PASSWORD@10.0.0.1:6379/0": _WORKER,
    "export VP_DATABASE_URL=postgresql://vp_writer:PASSWORD@10.0.0.2:5432/vp": _WORKER,
    "export VP_DAGSTER_DATABASE_URL=postgresql+psycopg2://vp_writer:PASSWORD@10.0.0.2:5432/dagster": _WORKER,
    "export VP_MARKETS_FILE=/etc/vp/markets.toml": _WORKER,
    ".venv/bin/vp worker --processes 4": _WORKER,
    "python -m vp_pipeline.runtime.code_service 127.0.0.1 4000": Elsewhere(
        _LASTS, (f"{_TESTS}/runtime/test_code_service.py",)
    ),
    "python -m vp_pipeline.runtime.plain dagster*": Elsewhere(_LASTS, (f"{_TESTS}/test_imports.py",)),
    "vp site": Elsewhere(_LASTS, (f"{_TESTS}/e2e/conftest.py",)),
    "vp poll": Elsewhere(_LASTS, (f"{_TESTS}/poller/test_command.py",)),
    "git clone <address of the repository>": _NETWORK,
    "git clone https://github.com/OWNER/vp-pipeline.git": _NETWORK,
    "cd vp-pipeline": Elsewhere("where the test stands already"),
    "git pull": _NETWORK,
    "sudo *": _MACHINE,
    "ssh -L *": _NETWORK,
    "chmod 600 .env": Elsewhere("there is no .env here", (f"{_TESTS}/test_docker.py",)),
    "nano .env": Elsewhere("it is an editor"),
    "docker build -f docker/Dockerfile -t vp-pipeline .": _DOCKER,
    "docker compose up -d": _DOCKER,
    "docker compose cp code:/data/backups ./backups": _DOCKER,
    "docker compose --profile ddns up -d": _DOCKER,
    "docker compose exec code vp backup": _DOCKER,
    "docker compose up -d *": _DOCKER,
    "docker compose run *": _DOCKER,
    "docker compose exec code vp backfill *": _DOCKER,
}


def blocks(document: Path) -> list[Block]:
    """All blocks of code, in their order."""
    pattern = r"^```(\w*)\n((?:.*\n)*?)```$|(?<=\n\n)((?: {4,}\S.*\n|\n(?= {4}))+)"
    found = re.finditer(pattern, document.read_text(encoding="utf-8"), re.MULTILINE)
    return [
        Block(document, one[1] or "", one[2] if one[3] is None else textwrap.dedent(one[3])) for one in found
    ]


def commands(document: Path) -> list[str]:
    """The command lines of its indented blocks, those that run elsewhere among them."""
    indented = [block.text for block in blocks(document) if not block.language]
    return [
        line
        for text in indented
        if text.split("\n", 1)[0] not in NO_COMMANDS
        for line in text.splitlines()
        if line
    ]


def elsewhere(command: str) -> str | None:
    """The key in ELSEWHERE of a command that is not run as it stands."""
    found = (one for one in ELSEWHERE if command == one or (one[-1] == "*" and command.startswith(one[:-1])))
    return next(found, None)


def sessions(document: Path) -> list[tuple[str, str]]:
    """Of the blocks marked `console`, the command after the prompt and what is printed."""
    shown = [block.text for block in blocks(document) if block.language == "console"]
    pairs = [text.removeprefix("$ ").split("\n", 1) for text in shown]
    return [(command, printed) for command, printed in pairs]


def programs(document: Path) -> list[str]:
    """Its blocks of Python."""
    return [block.text for block in blocks(document) if block.language == "python"]


def after_vp(command: str) -> list[str] | None:
    """The words after `vp` if it is a command of ours, also one within a container."""
    words = shlex.split(command)
    names = [number for number, word in enumerate(words) if word in ("vp", ".venv/bin/vp")]
    return words[names[0] + 1 :] if names and words[0] in ("vp", ".venv/bin/vp", "docker") else None
