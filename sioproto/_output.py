"""What machines put out:

effects, which the driver must carry out, and events, which the application may care about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def output(cls: type[T]) -> type[T]:
    """Make a class an output: a dataclass with slots that type checkers treat as frozen.

    Really frozen dataclasses take four times as long to build, and outputs are built for every
    message.
    """
    return dataclass(slots=True)(cls)


class Effect:
    """The core tells the driver to act."""

    __slots__ = ()


class Event:
    """The core tells the application that something happened."""

    __slots__ = ()


Output = Effect | Event
