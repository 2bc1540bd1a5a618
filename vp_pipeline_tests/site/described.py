"""Whether a JSON value is what the API's OpenAPI document says of it.

Here belongs as much of JSON Schema as that document uses; a keyword that it does not use yet is an error.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

SAYS_NOTHING = {"title", "description", "example", "examples", "default"}
UNDERSTOOD = {"type", "properties", "required", "items", "additionalProperties", "format", "enum"}
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def complaints(
    document: dict[str, Any], schema: dict[str, Any], value: object, at: str = ""
) -> Iterator[str]:
    """Where the value differs, and from what; a property that is not described differs too."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        yield from complaints(document, document["components"]["schemas"][name], value, at)
        return
    if "anyOf" in schema:
        every = [list(complaints(document, one, value, at)) for one in schema["anyOf"]]
        yield from [] if [] in every else every[0]
        return
    said = set(schema) - SAYS_NOTHING
    assert said, f"{at}: nothing is said of it"
    assert said <= UNDERSTOOD, f"{at}: {said - UNDERSTOOD}"
    kind = schema["type"]
    if not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{at}: {value!r} is no {kind}"
    elif isinstance(value, dict):
        yield from (f"{at}.{name}: missing" for name in schema["required"] if name not in value)
        for name, one in value.items():
            of_it = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
            if isinstance(of_it, dict):
                yield from complaints(document, of_it, one, f"{at}.{name}")
            else:
                yield f"{at}.{name}: not described"
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from complaints(document, schema["items"], one, f"{at}[{number}]")
    elif value not in schema.get("enum", [value]):
        yield f"{at}: {value!r} is none of {schema['enum']}"
    elif isinstance(value, str) and "format" in schema:
        yield from _misread(schema["format"], value, at)


def _misread(kind: str, value: str, at: str) -> Iterator[str]:
    try:
        if kind == "date":
            date.fromisoformat(value)
        elif kind == "date-time":
            assert datetime.fromisoformat(value).tzinfo is not None, f"{at}: {value!r} has no time zone"
        else:
            raise AssertionError(f"{at}: the format {kind}")
    except ValueError:
        yield f"{at}: {value!r} is no {kind}"
