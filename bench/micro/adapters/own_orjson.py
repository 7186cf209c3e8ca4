"""The codecs of this project with ``OrjsonCodec``."""

from __future__ import annotations

from bench.micro.adapters import Operations, own
from sioproto.socketio import OrjsonCodec, TextParser

LABEL = "sioproto, orjson"
_parser = TextParser(OrjsonCodec())


def operations(name: str) -> Operations:
    """See :class:`Operations`."""
    return own.operations_of(_parser, name)
