"""Which of the functions that somebody breaks a case gets the server to call.

A case that never calls a function cannot tell whether it is broken, so there is no need to try.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import wraps
from typing import Any

from sioproto_conformance.broken import Broken

Place = tuple[int, str]
"""An owner, by what ``id`` says of it, and an attribute."""


class Reach:
    """The places that were called since the last look."""

    def __init__(self, broken: Iterable[Broken]) -> None:
        self._watched = {_place(one): one for one in broken if _is_function(one.original)}
        self._called: set[Place] = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """The time in which calls are noticed, in a library that does what it should."""
        with ExitStack() as stack:
            for place, one in self._watched.items():
                watched = replace(one, replacement=self._watch(place, one.original))
                stack.enter_context(watched.broken())
            yield

    def take(self) -> frozenset[Place]:
        """Return what was called since this was asked last."""
        called, self._called = frozenset(self._called), set()
        return called

    def may_notice(self, broken: Broken, called: frozenset[Place]) -> bool:
        """Tell whether a case that called this can notice this break. A constant is in reach of
        all of them."""
        place = _place(broken)
        return place not in self._watched or place in called

    def _watch(self, place: Place, original: Any) -> Any:
        function: Callable[..., Any] = getattr(original, "__func__", original)

        @wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            self._called.add(place)
            return function(*args, **kwargs)

        return staticmethod(watched) if isinstance(original, staticmethod) else watched


def _place(broken: Broken) -> Place:
    return id(broken.owner), broken.attribute


def _is_function(original: object) -> bool:
    """Tell whether it is one that can be replaced by another; classes are used for more."""
    return isinstance(original, staticmethod) or (
        callable(original) and not isinstance(original, type)
    )
