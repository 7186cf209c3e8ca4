"""``json.dumps`` without blanks and ``json.loads``, on the JSON alone: what others are held to."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bench.micro import work
from bench.micro.adapters import Operations

LABEL = "json"


def json_alone(
    name: str, dumps: Callable[[Any], Any], loads: Callable[[Any], Any], separator: Any = "\x1e"
) -> Operations:
    """The JSON in a piece of work, done by other functions."""
    if name == "payload of 16":
        text = separator.join(map(dumps, work.PAYLOAD))
        return Operations(
            lambda: separator.join(map(dumps, work.PAYLOAD)),
            lambda: list(map(loads, text.split(separator))),
            checked=False,
        )
    value = work.BINARY_JSON if name == "two attachments" else work.WORK[name]
    text = dumps(value)
    return Operations(lambda: dumps(value), lambda: loads(text), checked=False)


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def operations(name: str) -> Operations:
    """See :class:`Operations`."""
    return json_alone(name, _dumps, json.loads)
