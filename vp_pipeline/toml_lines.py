"""Which line of a TOML file something stands in, for errors that name it.

Here belongs finding lines in a text; nothing here knows what the file is about.
"""

import re
import tomllib


def line_of_syntax_error(text: str, error: tomllib.TOMLDecodeError) -> int:
    """The line that the parser stumbled over; the last if it does not say."""
    place = re.search(r"\(at line (\d+), column \d+\)$", str(error))
    return int(place[1]) if place else len(text.splitlines())


def line_of(text: str, location: tuple[str | int, ...]) -> int:
    """The line that a location of the parsed file came from; its table's line where a key is missing."""
    lines = text.splitlines()
    table, first = list(location), 1
    for depth in range(len(location), 0, -1):
        found = _header_line(lines, location[:depth])
        if found is not None:
            table, first = list(location[depth:]), found
            break
    for number in range(first, len(lines) + 1):
        line = lines[number - 1].strip()
        if number > first and line.startswith("["):
            break
        if table and re.match(rf"{re.escape(str(table[0]))}\s*[=.]", line):
            return number
    return first


def _header_line(lines: list[str], location: tuple[str | int, ...]) -> int | None:
    if isinstance(location[-1], int):
        name, wanted, brackets = ".".join(map(str, location[:-1])), location[-1], (r"\[\[", r"\]\]")
    else:
        name, wanted, brackets = ".".join(map(str, location)), 0, (r"\[", r"\]")
    header = re.compile(rf"^\s*{brackets[0]}\s*{re.escape(name)}\s*{brackets[1]}")
    numbers = [number for number, line in enumerate(lines, 1) if header.match(line)]
    return numbers[wanted] if wanted < len(numbers) else None
