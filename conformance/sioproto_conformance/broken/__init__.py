"""Servers that are broken on purpose: ours, with one behaviour changed.

They put the suite to the test. Each names the rule that it breaks and the case that has to notice.
A break is a patch of the library inside one process, which serves nothing else: see
``fixture --broken``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any


@dataclass(frozen=True, slots=True)
class Broken:
    """One way to break the server."""

    name: str
    """Words, like the id of a case."""
    what: str
    """What it does wrong, in one sentence."""
    rule: str
    case: str
    """The case whose verdict has to differ from that for the unbroken server."""
    apply: Callable[[], None]
    """Breaks the library in this process, for good."""
    options: tuple[str, ...] = ()
    """With which the fixture has to be started, so that there is something to break."""


BROKEN: dict[str, Broken] = {}


def broken(
    name: str, *, rule: str, case: str, options: tuple[str, ...] = ()
) -> Callable[[Callable[[], None]], None]:
    """Register a way to break the server. Its docstring says what it does wrong."""

    def register(apply: Callable[[], None]) -> None:
        assert name not in BROKEN, f"two broken servers are called {name}"
        assert apply.__doc__, f"{name} says nothing about itself"
        BROKEN[name] = Broken(name, apply.__doc__, rule, case, apply, options)

    return register


def replace(owner: type, method: str, replacement: Callable[..., Any]) -> None:
    """Put a function in place of a method. It gets the original as its first argument."""
    original = getattr(owner, method)

    def replaced(self: Any, *args: Any, **kwargs: Any) -> Any:
        return replacement(partial(original, self), self, *args, **kwargs)

    setattr(owner, method, replaced)


for area in ("_engineio", "_http", "_socketio"):
    import_module(f"{__name__}.{area}")
