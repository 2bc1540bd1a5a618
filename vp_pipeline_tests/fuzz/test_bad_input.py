"""Whatever is nearly right is read or refused in words, and nothing else happens.

A short run; `make fuzz` goes on as long as one likes. A failure names the number of its input:
`target.spoiled(number)` makes it again.
"""

import asyncio

import pytest

from vp_pipeline.sandbox.generator import GeneratedSource
from vp_pipeline_tests.fuzz.answers import relay
from vp_pipeline_tests.fuzz.run import answers_read, inputs_read
from vp_pipeline_tests.fuzz.targets import TARGETS, Target

INPUTS = 500
ANSWERS = 100


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_files_and_settings(target: Target) -> None:
    assert all(map(target.run, target.seeds))
    read = inputs_read(target, range(INPUTS))
    # Neither is everything refused, nor does it hardly matter what was changed.
    assert 0 < read < INPUTS * 0.9


def test_answers_of_exchanges() -> None:
    async def work() -> None:
        async with relay(GeneratedSource(seed=7)) as exchanges:
            for exchange in exchanges.exchanges:
                read = await answers_read(exchanges, exchange, range(ANSWERS))
                assert 0 < read < 2 * ANSWERS

    asyncio.run(work())


def test_the_same_number_is_the_same_input() -> None:
    target = TARGETS[0]
    assert target.spoiled(7) == target.spoiled(7) != target.spoiled(8)


def test_a_precision_beyond_all_numbers_is_refused() -> None:
    """ccxt would write it digit by digit, until the memory is full."""

    async def work() -> None:
        async with relay(GeneratedSource(seed=7)) as exchanges:
            sound = exchanges.exchanges["kraken"].listings
            endless = sound.replace(b'"decimals":10', b'"decimals":1%s' % (b"0" * 30))
            assert endless != sound
            assert not await exchanges.listings("kraken", endless)

    asyncio.run(work())
