"""Hold what the library says of an input against what a plain decoder says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fuzzing.plain import DEEP, Refused, same
from sioproto import DecodeError, LimitError, RemoteProtocolError

T = TypeVar("T")
TOO_DEEP = "SIO-DEC-19"


def outcome(call: Callable[[], T]) -> T | RemoteProtocolError:
    """What a codec returns, or the error that it documents. Any other goes on."""
    try:
        return call()
    except (DecodeError, LimitError) as error:
        return error


def plainly(call: Callable[[], T]) -> T | Refused:
    """What a plain decoder returns, or its refusal."""
    try:
        return call()
    except Refused as refused:
        return refused


def agree(found: Any, plain: Any, *, depth: int = 0) -> bool:
    """Hold two outcomes against each other.

    Args:
        found: the library's.
        plain: that of the plain decoder.
        depth: of the input, so deep that the library may give up.

    Returns:
        Whether both took the input.

    Raises:
        AssertionError: they differ.
    """
    if isinstance(found, RemoteProtocolError) and found.rule == TOO_DEEP and depth >= DEEP:
        return False
    if isinstance(plain, Refused):
        assert isinstance(found, RemoteProtocolError), f"taken: {found!r}, against {plain.rule}"
        limit = found.limit if isinstance(found, LimitError) else None
        assert (found.rule, limit) == (plain.rule, plain.limit), f"{found}, not {plain.rule}"
        return False
    assert not isinstance(found, RemoteProtocolError), f"refused by {found}, but it is {plain!r}"
    assert same(found, plain), f"{found!r}, not {plain!r}"
    return True
