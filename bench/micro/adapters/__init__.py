"""Codecs to compare, each in a module with ``LABEL`` and ``operations(name)``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

MODULES = (
    "own",
    "own_orjson",
    "python_socketio",
    "stdlib_json",
    "kept_json",
    "orjson_alone",
    "msgspec_alone",
)
"""The modules beside this one."""


class Operations(NamedTuple):
    """Encoding and decoding one piece of ``work.WORK``, all preparations done."""

    encode: Callable[[], Any]
    decode: Callable[[], Any]
    escapes: bool = False
    """Whether text beyond ASCII is escaped."""
    checked: bool = True
    """Whether it is a whole codec, whose results have to be those of ``work``."""
