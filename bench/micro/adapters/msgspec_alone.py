"""msgspec, on the JSON alone."""

from __future__ import annotations

import msgspec

from bench.micro.adapters import Operations
from bench.micro.adapters.stdlib_json import json_alone

LABEL = "msgspec"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def operations(name: str) -> Operations:
    """See :class:`Operations`."""
    return json_alone(name, _encode, _decode, b"\x1e")
