"""The soak's short form, and that the soak notices what it is there to notice."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import get_args

import psycopg
from pydantic import SecretStr

from vp_pipeline.sandbox.faults import Fault
from vp_pipeline.storage import embedded
from vp_pipeline.storage.minute_runs import NOT_ASKED_AGAIN, YOUNG
from vp_pipeline.windows import MINUTE, Window
from vp_pipeline_tests.assets.simulated import MARKETS, QUARTER, START
from vp_pipeline_tests.soak import judge, sound, strikes, ticks
from vp_pipeline_tests.soak.campaign import soak
from vp_pipeline_tests.soak.faults import STRIKES, draw
from vp_pipeline_tests.soak.world import PERPETUAL, World, running

# Ten kinds of strikes are among its first twelve rounds.
SEED = 3719


def test_the_seed_alone_decides_and_every_kind_of_fault_has_its_turn() -> None:
    rounds = [draw(1, number, MARKETS, PERPETUAL) for number in range(1, 400)]
    assert rounds == [draw(1, number, MARKETS, PERPETUAL) for number in range(1, 400)]
    assert rounds != [draw(2, number, MARKETS, PERPETUAL) for number in range(1, 400)]
    kinds = {fault["kind"] for drawn in rounds for fault in drawn.wire}
    assert kinds == set(get_args(Fault.model_fields["kind"].annotation))
    assert {drawn.strike for drawn in rounds} == set(STRIKES)
    for drawn in rounds:
        for fault in drawn.wire:
            Fault.model_validate(fault)


def test_a_short_soak_loses_nothing(folder: Path) -> None:
    report = soak(folder, SEED, faults=90, days=2)
    assert report.problems == [], f"seed {SEED}, see {folder}/runs.log"
    assert (report.lost, report.duplicates) == (0, 0)
    assert report.injected >= 90
    assert report.checked > 60 * len(MARKETS)
    assert report.artifacts
    struck = {kind for kind, count in report.faults.items() if count and kind in STRIKES}
    assert len(struck) >= 4, struck


DAMAGE = {
    "a candle is gone": (
        "DELETE FROM candle WHERE open_time = %s",
        "got, the exchange has a candle, none is stored",
    ),
    "a number is another": (
        "UPDATE candle SET volume = volume + 1e-5 WHERE open_time = %s",
        "got, the exchange has a candle, another is stored",
    ),
    "a lie in the ledger": (
        "WITH gone AS (DELETE FROM candle WHERE open_time = %s)"
        " UPDATE coverage_run SET state = 'exchange-empty'",
        "exchange-empty, the exchange has a candle, none is stored",
    ),
    "given up without need": (
        "WITH gone AS (DELETE FROM candle WHERE open_time = %s) UPDATE coverage_run"
        " SET state = 'unfetchable', reason = 'kraken serves no minutes before 2025-03-04 10:14 UTC'",
        "unfetchable (kraken serves no minutes before",
    ),
}


def test_what_is_wrong_is_found(folder: Path) -> None:
    with running(folder, seed=3) as world:
        ticks.prepare()
        now = START + QUARTER
        world.set_clock(now + strikes.LATE)
        assert strikes.ended(strikes.tick(world, now)) == (ticks.GOOD,)
        assert strikes.ended(strikes.profiles(world, now)) == (ticks.GOOD,)
        assert strikes.ended(strikes.bars(world, now)) == (ticks.GOOD,)
        window = Window(START, now - MINUTE)
        for market in MARKETS:
            verdict = judge.judge(world, market, window, [now])
            assert (verdict.checked, verdict.lost, verdict.problems) == (14, 0, [])
        assert judge.judge_bars(world, window).problems == []
        assert sound.examine(world, window).problems == []

        for number, (what, (damage, told)) in enumerate(DAMAGE.items()):
            copy = _copy(world, f"copy_{number}")
            with psycopg.connect(copy.url) as connection:
                connection.execute(damage.encode(), [window.start + 5 * MINUTE])
            verdict = judge.judge(copy, "kraken BTC/USD", window, [now])
            assert verdict.lost, what
            assert told in " ".join(verdict.problems), what
        _judge_early_numbers(_copy(world, "copy_early"), window, now)
        bars = _copy(world, "copy_bars")
        with psycopg.connect(bars.url) as connection:
            connection.execute("DELETE FROM kline WHERE open_time = %s", [window.start])
        assert judge.judge_bars(bars, window).lost == 1
        _damage_what_follows(_copy(world, "copy"), window)


def _judge_early_numbers(world: World, window: Window, now: datetime) -> None:
    """Revised numbers just before what was forgotten are no loss, unless the ledger has no word of them or
    somebody could have asked again.
    """
    forgotten, revised = window.start + 10 * MINUTE, window.start + 7 * MINUTE
    with psycopg.connect(world.url) as connection:
        connection.execute("DELETE FROM candle WHERE open_time >= %s", [forgotten])
        connection.execute("UPDATE coverage_run SET end_time = %s WHERE state = 'got'", [forgotten])
        connection.execute(
            "INSERT INTO coverage_run SELECT market_id, end_time, %s, 'unfetchable',"
            " 'kraken serves no minutes before 2025-03-04 10:14 UTC' FROM coverage_run",
            [window.end],
        )
        connection.execute("UPDATE candle SET volume = volume + 1e-5 WHERE open_time = %s", [revised])
    assert judge.judge(world, "kraken BTC/USD", window).lost == 1
    with psycopg.connect(world.url) as connection:
        connection.execute(
            "INSERT INTO coverage_run SELECT market_id, %s, end_time, 'got', %s FROM coverage_run"
            " WHERE state = 'got'",
            [forgotten - YOUNG, f"{NOT_ASKED_AGAIN}: kraken serves no more"],
        )
        connection.execute("UPDATE coverage_run SET end_time = %s WHERE reason = ''", [forgotten - YOUNG])
    verdict = judge.judge(world, "kraken BTC/USD", window)
    assert (verdict.lost, verdict.early, verdict.unfetchable) == (0, 1, 4)
    # Then three of the four and the revised one could be had; the last had just closed.
    assert judge.judge(world, "kraken BTC/USD", window, [now]).lost == 4
    with psycopg.connect(world.url) as connection:
        connection.execute("UPDATE candle SET volume = volume + 1e-5 WHERE open_time = %s", [window.start])
    assert judge.judge(world, "kraken BTC/USD", window).lost == 1


def _copy(world: World, name: str) -> World:
    """The same world with a copy of its database."""
    server = embedded.start(world.folder)
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE vp".encode())
    settings = world.settings.model_copy(update={"database_url": SecretStr(server.url(name))})
    return replace(world, settings=settings, url=server.url(name))


def _damage_what_follows(world: World, window: Window) -> None:
    """The rest of the database: an artifact, an hour that was not added up, a session left open."""
    with psycopg.connect(world.url, application_name="vp") as connection:
        connection.execute("UPDATE artifact SET content = (SELECT content FROM artifact_include LIMIT 1)")
        connection.execute("UPDATE aggregate SET volume = volume + 1 WHERE open_time = %s", [window.start])
        connection.execute("DELETE FROM site.bar WHERE length = 'day'")
        connection.commit()
        problems = " ".join(sound.examine(world, window).problems)
    assert "does not match its checksum" in problems
    assert "hours of the aggregate were not made of the candles" in problems
    assert "sessions left open" in problems
    assert "1 bars of the site" in problems
