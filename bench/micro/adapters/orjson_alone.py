"""orjson, on the JSON alone."""

from __future__ import annotations

import orjson

from bench.micro.adapters import Operations
from bench.micro.adapters.stdlib_json import json_alone

LABEL = "orjson"


def operations(name: str) -> Operations:
    """See :class:`Operations`."""
    return json_alone(name, orjson.dumps, orjson.loads, b"\x1e")
