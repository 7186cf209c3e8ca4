"""Servers that are broken on purpose: ours, with one behaviour changed.

They put the suite to the test. Each names the rule that it breaks and the case that has to notice.
A break replaces one function of the library, or one constant, for as long as a context lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from importlib import import_module
from types import ModuleType
from typing import Any

AREAS = (
    "_handshake",
    "_http",
    "_polling",
    "_websocket",
    "_upgrade",
    "_heartbeat",
    "_packets",
    "_joining",
    "_events",
    "_binary",
    "_rooms",
    "_application",
    "_recovery",
    "_older",
)


@dataclass(frozen=True, slots=True)
class Broken:
    """One way to break the server."""

    name: str
    """Words, like the id of a case."""
    what: str
    """What it does wrong, in one sentence."""
    rule: str
    """The rule that it breaks, and the only one that it proves to be checked."""
    case: str
    """The case, with or without variant, in which a check of that rule has to fail."""
    owner: object
    """The class, module or object that has the attribute replaced."""
    attribute: str
    replacement: object
    settings: Mapping[str, Any] = field(default_factory=dict)
    """How the server has to be configured, so that there is something to break."""
    wide: str | None = None
    """Why more than ten other cases may notice it as well."""

    @property
    def original(self) -> Any:
        """What is there now, and would be replaced."""
        return _original(self.owner, self.attribute)

    @contextmanager
    def broken(self) -> Iterator[None]:
        """The time in which the library is broken in this process."""
        original = self.original
        # Nothing less takes frozen objects as well.
        put = type.__setattr__ if isinstance(self.owner, type) else object.__setattr__
        put(self.owner, self.attribute, self.replacement)
        try:
            yield
        finally:
            put(self.owner, self.attribute, original)


BROKEN: dict[str, Broken] = {}

Original = Callable[..., Any]


def broken(
    owner: object,
    attribute: str,
    *,
    rule: str,
    case: str,
    wide: str | None = None,
    **settings: Any,
) -> Callable[[Callable[..., Any]], None]:
    """Register the decorated function, put in place of another, as a way to break the server.

    It gets the original as its first argument. Its docstring says what is wrong with the server.
    """

    def register(function: Callable[..., Any]) -> None:
        original = getattr(owner, attribute)

        @wraps(original)
        def replacement(*args: Any, **kwargs: Any) -> Any:
            return function(original, *args, **kwargs)

        is_static = isinstance(_original(owner, attribute), staticmethod)
        break_by(
            owner,
            attribute,
            staticmethod(replacement) if is_static else replacement,
            name=function.__name__.replace("_", "-"),
            what=function.__doc__ or "",
            rule=rule,
            case=case,
            wide=wide,
            **settings,
        )

    return register


def break_by(
    owner: object,
    attribute: str,
    replacement: object,
    *,
    name: str,
    what: str,
    rule: str,
    case: str,
    wide: str | None = None,
    **settings: Any,
) -> None:
    """Register a constant, put in place of another, as a way to break the server."""
    assert name not in BROKEN, f"two broken servers are called {name}"
    assert what, f"{name} says nothing about itself"
    _original(owner, attribute)  # there is something to replace
    BROKEN[name] = Broken(name, what, rule, case, owner, attribute, replacement, settings, wide)


def _original(owner: object, attribute: str) -> Any:
    """Return what is there itself, such as a static method rather than the function in it."""
    if isinstance(owner, type | ModuleType):
        return vars(owner)[attribute]
    return getattr(owner, attribute)


for area in AREAS:
    import_module(f"{__name__}.{area}")
