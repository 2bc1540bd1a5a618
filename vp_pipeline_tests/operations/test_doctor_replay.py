"""`vp doctor` on a recording: its exchanges are asked for the time they stand at."""

from pathlib import Path

from vp_pipeline.recordings.folder import scan
from vp_pipeline.runtime.replay import write_markets_file
from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.replay import ReplaySource
from vp_pipeline.storage.connection import transaction
from vp_pipeline.storage.installation import claim
from vp_pipeline_tests.assets import recordings
from vp_pipeline_tests.operations.installation import vp


def test_the_exchanges_of_a_recording(database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "recording"
    folder.mkdir()
    recording = scan(recordings.write(folder))
    write_markets_file(recording, tmp_path / "markets.toml")
    with transaction(database_url) as connection:
        claim(connection, "replay")
    with recordings.serving(ReplaySource(recording), Clock(recordings.END, frozen=True)) as address:
        result = vp(
            "doctor",
            url=database_url,
            markets=tmp_path / "markets.toml",
            VP_HOME=str(tmp_path),
            VP_EXCHANGE_URL=address,
        )
    assert "WRONG" not in result.output
    assert result.exit_code == 0
    assert "ok    clock: not compared" in result.output
    assert "ok    kraken: answers for BTC/USD" in result.output
