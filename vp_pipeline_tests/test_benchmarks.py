"""The report of `make bench`: what it lists first, and what it takes from a benchmark."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = """
from claims import Point, Ratio, tell
tell(
    Ratio("fast", "peer", 1.0, 10.0, goal=5.0),
    Ratio("short", "peer", 1.0, 3.0, goal=5.0),
    Ratio("shorter", "peer", 1.0, 2.0, goal=5.0),
    Ratio("slower", "peer", 2.0, 1.0),
    Ratio("far", "limit", 8.0, 1.0, kind="limit", goal=5.0),
    Ratio("near", "limit", 4.0, 1.0, kind="limit", goal=5.0),
    Ratio("no goal", "limit", 90.0, 1.0, kind="limit"),
    Point("ours", "rows", 10, 0.1),
    Point("ours", "rows", 100, 0.2),
)
print("| a | table |")
"""


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import report

    (tmp_path / "made_up.py").write_text(SCRIPT)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "benchmarks"))
    monkeypatch.setattr(report, "HERE", tmp_path)
    monkeypatch.setattr(report, "KEPT", tmp_path)
    monkeypatch.setattr(report, "BENCHMARKS", (report.Benchmark("made_up", "Made up"),))
    return report


def test_what_is_worse_comes_first_then_missed_goals(report: ModuleType, tmp_path: Path) -> None:
    report.run(report.BENCHMARKS[0], quick=False)
    report.write(tmp_path, report.kept())
    page = (tmp_path / "benchmarks.md").read_text()
    missed, peers, limits = page.split("## ")[1:4]
    assert _named(missed) == ["slower", "shorter", "short", "far"]
    assert _named(peers) == ["fast", "short", "shorter", "slower"]
    assert _named(limits) == ["no goal", "far", "near"]
    assert "| slower | 2.00 s | peer | 1.00 s | 0.5 |  |" in missed
    assert "| far | 8.00 s | limit | 1.00 s | 8.0 | at most 5 |" in missed
    assert "## Made up\n\n| a | table |\n" in page
    figure = (tmp_path / "images" / "benchmarks.svg").read_text()
    report.write(tmp_path, report.kept())
    assert (tmp_path / "images" / "benchmarks.svg").read_text() == figure
    assert ">rows<" in figure


def test_one_that_fails_does_not_keep_the_others_from_being_measured(
    report: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.py").write_text("print('so far')\nraise SystemExit(3)\n")
    broken = report.Benchmark("broken", "Broken")
    monkeypatch.setattr(report, "BENCHMARKS", (broken, *report.BENCHMARKS))
    monkeypatch.setattr(sys, "argv", ["report.py"])
    with pytest.raises(SystemExit, match="failed, the others were measured: broken"):
        report.main()
    printed = capsys.readouterr().out
    assert "failed: broken.py ended with 3:\nso far" in printed
    assert "| a | table |" in printed
    assert [benchmark.name for benchmark in report.kept()] == ["made_up"]


def test_each_benchmark_is_a_script_that_takes_its_arguments() -> None:
    code = "import report; print(*(f'{b.file} {b.goals} {b.quick}' for b in report.BENCHMARKS), sep='\\n')"
    listed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "benchmarks", capture_output=True, text=True, check=True
    )
    for line in listed.stdout.splitlines():
        file, *arguments = line.split()
        source = Path(file).read_text()
        for option in arguments:
            assert not option.startswith("--") or f'"{option}"' in source, line


def _named(section: str) -> list[str]:
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [row.split(" | ")[0].removeprefix("| ") for row in rows[1:]]
