"""Functions that listen, by the name of what they listen to."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from sioproto._app._calling import Listener


class Listeners:
    """The listeners of a socket or of a namespace.

    What ``get`` returns is not changed by what is added or removed later: whoever is calling the
    functions goes on undisturbed.
    """

    __slots__ = ("_by_name",)

    def __init__(self) -> None:
        self._by_name: dict[Hashable, tuple[Listener, ...]] = {}

    def add(
        self,
        name: Hashable,
        function: Callable[..., Any],
        *,
        once: bool = False,
        concurrent: bool = False,
    ) -> None:
        """Call the function from now on, or only one time."""
        listener = Listener(function, once=once, concurrent=concurrent)
        self._by_name[name] = (*self.get(name), listener)

    def copy(self, others: Listeners) -> None:
        """Call the functions of others too."""
        for name in others.names():
            for listener in others.get(name):
                self.add(name, listener.function, once=listener.once)

    def remove(self, name: Hashable, function: Callable[..., Any] | None) -> None:
        """Forget a function, however often it was added; or all of this name."""
        self._keep(name, [each for each in self.get(name) if function not in (None, each.function)])

    def get(self, name: Hashable) -> tuple[Listener, ...]:
        """Those of this name, in the order in which they were added."""
        return self._by_name.get(name, ())

    def names(self) -> list[Hashable]:
        """The names that somebody listens to."""
        return list(self._by_name)

    def due(self, name: Hashable, listener: Listener) -> bool:
        """Whether to call it now: False for one that was to be called once, and has been."""
        if not listener.once:
            return True
        if listener.spent:
            return False
        listener.spent = True
        self._keep(name, [each for each in self.get(name) if each is not listener])
        return True

    def _keep(self, name: Hashable, listeners: list[Listener]) -> None:
        if listeners:
            self._by_name[name] = tuple(listeners)
        else:
            self._by_name.pop(name, None)
