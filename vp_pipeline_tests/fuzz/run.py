"""Many inputs one after the other, counted.

Here belongs the loop; a failure says of which target and number its input is.
"""

import random
from collections.abc import Iterable

from vp_pipeline_tests.fuzz.answers import Relay
from vp_pipeline_tests.fuzz.mutate import spoiled, spoiled_json
from vp_pipeline_tests.fuzz.targets import Target


class FuzzError(AssertionError):
    """An input ended otherwise than it may; the cause says how."""


def inputs_read(target: Target, numbers: Iterable[int]) -> int:
    """How many of these inputs were accepted; the others were refused in words.

    Raises:
        FuzzError: anything else happened.
    """
    read = 0
    for number in numbers:
        try:
            read += target.run(target.spoiled(number))
        except Exception as error:
            raise FuzzError(f"{target.name}, input {number}: {type(error).__name__}: {error}") from error
    return read


async def answers_read(relay: Relay, exchange: str, numbers: Iterable[int]) -> int:
    """The same of an exchange's answers about candles and, where it is asked for them, its listings."""
    of, read = relay.exchanges[exchange], 0
    for number in numbers:
        for what in ("candles", "listings") if of.lists else ("candles",):
            chance = random.Random(number)
            sound = of.candles if what == "candles" else of.listings
            body = spoiled(sound, chance) if number % 4 == 0 else spoiled_json(sound, chance)
            status = chance.choice((200,) * 9 + (500,))
            ask = relay.candles if what == "candles" else relay.listings
            try:
                read += await ask(exchange, body, status)
            except Exception as error:
                said = f"{exchange}, {what}, input {number}: {type(error).__name__}: {error}"
                raise FuzzError(said) from error
    return read
