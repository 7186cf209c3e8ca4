"""The same, with an encoder and a decoder that are made once and kept."""

from __future__ import annotations

import json

from bench.micro.adapters import Operations
from bench.micro.adapters.stdlib_json import json_alone

LABEL = "json, kept"
_encode = json.JSONEncoder(separators=(",", ":")).encode
_decode = json.JSONDecoder().decode


def operations(name: str) -> Operations:
    """See :class:`Operations`."""
    return json_alone(name, _encode, _decode)
