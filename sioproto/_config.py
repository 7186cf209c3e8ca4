"""How configurations refuse nonsense."""

from __future__ import annotations

from math import inf
from typing import Any


def check_config(config: Any, **rules: tuple[bool, str]) -> None:
    """Refuse a configuration that makes no sense.

    Args:
        config: the frozen dataclass being checked.
        rules: field name -> (whether its rule holds, what is required of it).

    Raises:
        ValueError: for the first rule that does not hold, naming the field and its value.
    """
    for field, (holds, requirement) in rules.items():
        if not holds:
            name = f"{type(config).__name__}.{field}"
            raise ValueError(f"{name} must be {requirement}, not {getattr(config, field)!r}")


def check_seconds(config: Any, *fields: str) -> None:
    """Refuse what is no positive, finite number of seconds.

    Raises:
        ValueError: for the first such field, naming it and its value.
    """
    for field in fields:
        value = getattr(config, field)
        positive = _is_number(value) and 0 < value < inf
        check_config(config, **{field: (positive, "a positive number of seconds")})


def _is_number(value: object) -> bool:
    """Whether this is a real number: ``True`` is an int to Python, but no number of seconds."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_count(value: object, least: int = 1) -> bool:
    """Whether this is a whole number, at least ``least``."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
