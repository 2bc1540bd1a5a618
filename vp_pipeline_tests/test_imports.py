"""What processes that live long, or start often, do not import: it would cost a small machine's memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import ccxt.async_support
import pytest

# What the code server would take for each: pandas with numpy 32 MB, the others 20 to 100 MB.
ONLY_RUNS_NEED = {"ccxt", "matplotlib", "numpy", "pandas", "plotly", "quantstats", "requests", "scipy"}


def imported_by(code: str, folder: Path) -> set[str]:
    """The modules of a new process after these lines, as the platform's services are started."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("VP_")},
        "VP_HOME": str(folder),
        "VP_SOURCE": "sandbox",
        "VP_EXCHANGE_URL": "http://127.0.0.1:1",
        "VP_DATABASE_URL": "postgresql://vp@127.0.0.1:1/vp",
    }
    command = [sys.executable, "-W", "ignore:Parameter", "-c"]
    ended = subprocess.run(
        [*command, f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return set(json.loads(ended.stdout.splitlines()[-1]))


def test_the_code_server_imports_nothing_that_only_runs_need(tmp_path: Path) -> None:
    """Its modules: Dagster's server, the definitions, and what the sensor `alerts` looks with."""
    found = imported_by(
        "from vp_pipeline.runtime.plain import without_colours\n"
        "without_colours('dagster._grpc.server')\n"
        "import vp_pipeline.definitions\n"
        "from vp_pipeline.upkeep import incidents, messages, databases\n"
        "assert vp_pipeline.definitions.defs.resolve_all_asset_keys()",
        tmp_path,
    )
    assert "vp_pipeline.assets.candles" in found
    assert not found & ONLY_RUNS_NEED


def test_a_tick_imports_the_exchanges_it_asks_alone(tmp_path: Path) -> None:
    """And neither the libraries of figures nor scipy."""
    found = imported_by(
        "import vp_pipeline.definitions\n"
        "from vp_pipeline.assets import aggregate_run, candles_run\n"
        "from vp_pipeline.exchanges import lean\n"
        "lean.client('kraken')",
        tmp_path,
    )
    exchanges = {name.rpartition(".")[2] for name in found if name.rpartition(".")[0] == "ccxt.async_support"}
    assert "pandas" in found
    assert exchanges - {"base"} == {"kraken"}
    assert not found & {"matplotlib", "plotly", "quantstats", "scipy"}


def test_ccxt_without_its_exchanges_knows_them_all_and_has_the_same_errors(tmp_path: Path) -> None:
    code = (
        "from vp_pipeline.exchanges.lean import EXCHANGES, ccxt, client\n"
        f"assert EXCHANGES == {set(ccxt.async_support.exchanges)!r}\n"
        "import ccxt.base.errors\n"
        "assert ccxt.BadSymbol is ccxt.base.errors.BadSymbol\n"
        # One that is made of another.
        "assert client('binanceus').__mro__[1] is client('binance')"
    )
    assert "ccxt.async_support.kraken" not in imported_by(code, tmp_path)


@pytest.mark.parametrize("module", ["dagster._cli", "dagster._daemon.cli", "dagster_webserver.cli"])
def test_services_do_without_what_colours_a_terminal(module: str, tmp_path: Path) -> None:
    """Also what imports it if it is there, and begin all the same."""
    found = imported_by(
        "from vp_pipeline.runtime import plain\n"
        "try:\n"
        f"    plain.main({module!r}, '--version')\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "import dagster_postgres",
        tmp_path,
    )
    assert found >= {module, "structlog", "mako"}
    assert not {name for name in found if name.startswith(("rich.", "pygments."))}
