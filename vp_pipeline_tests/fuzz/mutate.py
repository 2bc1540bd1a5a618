"""Bytes that are nearly right: copies of a sound input with a few things wrong.

Here belongs how an input is spoiled. Which inputs there are is in `targets`.
"""

import json
import random
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

# What has broken parsers before.
_TOKENS = (
    *(
        b"",
        b"\0",
        b"\r",
        b"\n\n",
        b'"',
        b"'",
        b",",
        b",,",
        b";",
        b"\t",
        b"[",
        b"]",
        b"{",
        b"}",
        b"[[]]",
        b"{}",
    ),
    *(
        b"-",
        b"-1",
        b"0",
        b"-0.0",
        b"1e999",
        b"-1e999",
        b"1e-999",
        b"NaN",
        b"nan",
        b"inf",
        b"Infinity",
        b"1_0",
    ),
    *(
        b"99999999999999999999",
        b"9" * 400,
        b"9223372036854775808",
        b"0x10",
        b"1,5",
        b"1.5.5",
        b"true",
        b"null",
    ),
    *(
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xc3\x28",
        b"\xed\xa0\x80",
        "٣".encode(),
        "\u202e".encode(),
        b"%s",
        b"{0}",
    ),
    *(b"1970-01-01", b"9999-12-31T23:59:59Z", b"2024-02-30", b"2024-01-01T00:00:00+99:99", b"today", b"../x"),
)
_MOST_CHANGES = 4


def spoiled(seed: bytes, chance: random.Random, tokens: Sequence[bytes] = ()) -> bytes:
    """The seed after one to four changes; `tokens` are words of the format."""
    found = bytearray(seed)
    for _ in range(chance.randint(1, _MOST_CHANGES)):
        _change(found, chance, (*_TOKENS, *tokens))
    return bytes(found)


def _change(data: bytearray, chance: random.Random, tokens: Sequence[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    end = min(len(data), at + chance.choice((1, 1, 2, 8, 40, 400)))
    match chance.randrange(8):
        case 0:
            del data[at:end]
        case 1:
            data[at:at] = data[at:end] * chance.choice((1, 2, 30))
        case 2:
            data[at:at] = chance.choice(tokens)
        case 3:
            data[at:end] = chance.choice(tokens)
        case 4:
            data[at:end] = chance.randbytes(end - at)
        case 5:
            del data[at:]
        case 6:
            _change_number(data, at, chance, tokens)
        case _:
            other = chance.randrange(len(data) + 1)
            data[at:end], data[other:other] = b"", bytes(data[at:end])


def _change_number(data: bytearray, at: int, chance: random.Random, tokens: Sequence[bytes]) -> None:
    """Replace the number, word or cell at that place as a whole."""
    breaks = b' ,\n\r\t"[]{}:='
    start = end = at
    while start > 0 and data[start - 1] not in breaks:
        start -= 1
    while end < len(data) and data[end] not in breaks:
        end += 1
    data[start:end] = chance.choice(tokens)


# What a JSON value may be instead.
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1e308, -0.0, 10**30, 1_741_172_400, "", "NaN", "1e999", "-1", "x", "1_0"),
    *([], {}, [[]], [None], {"0": 0}, [1, 2], "9" * 400),
)


def spoiled_json(seed: bytes, chance: random.Random) -> bytes:
    """The JSON document after one to four changes; it stays JSON."""
    document = [json.loads(seed)]
    for _ in range(chance.randint(1, _MOST_CHANGES)):
        _change_node(document, chance)
    return json.dumps(document[0]).encode()


def _change_node(document: list[Any], chance: random.Random) -> None:
    """Replace, remove or repeat a value somewhere in the tree; the way down ends by chance."""
    holder: Any = document
    key: Any = 0
    while isinstance(holder[key], list | dict) and holder[key] and chance.random() < 0.85:
        holder = holder[key]
        key = chance.choice(list(holder)) if isinstance(holder, dict) else chance.randrange(len(holder))
    value = holder[key]
    match chance.randrange(6):
        case 0 if holder is not document:
            del holder[key]
        case 1 if isinstance(holder, list) and holder is not document:
            holder.insert(chance.randrange(len(holder) + 1), deepcopy(value))
        case 2 if isinstance(value, int | float):
            holder[key] = value * chance.choice((-1, 0, 1000, 1e-3, 1.5, 1e12))
        case 3 if isinstance(value, str):
            holder[key] = spoiled(value.encode(), chance).decode("utf-8", errors="replace")
        case _:
            holder[key] = deepcopy(chance.choice(_VALUES))
