"""Where cases are declared and found."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any, TypeVar

from sioproto_conformance._model import Case, Rule, SuiteError
from sioproto_conformance._rules import all_rules

ORDERS = "/conformance"
"""The namespace of the contract in which the application does what it is told."""

ORDERED = {
    "acks": "events of the server that ask for an acknowledgement",
    "acks-twice": "a function that acknowledges, and may be called twice",
    "broadcast-acks": "broadcasts that ask for acknowledgements",
    "bulk": "fetching, moving and disconnecting the sockets that a broadcast would reach",
    "catch-all": "listeners to all events, also those that have one of their own",
    "close": "a disconnect by the server that closes the connection too",
    "conn-close": "a way to close a connection below Socket.IO",
    "disconnecting": "an event for a socket that is about to leave its rooms",
    "dynamic-namespaces": "namespaces that are made when a client asks for them",
    "error-log": "errors of event middleware that the application is told",
    "event-middleware": "middleware for the events of a socket",
    "function-namespaces": "namespaces that a function makes when a client asks for them",
    "handshake": "the handshake as the application sees it",
    "middleware": "middleware for clients that join",
    "middleware-errors": "middleware that may raise without ending the server",
    "outgoing": "listeners to all events that go out",
    "room-log": "events for changes of rooms",
    "volatile": "events that are dropped rather than kept",
    "without": "broadcasts that leave out rooms",
}
"""What the application of tier 2 says that it has or has not."""

NEEDS = {
    "app": "the Socket.IO application of the contract",
    "conformance": "the application of the contract that takes orders, tier 2",
    "echo": "the Engine.IO echo of the contract",
    "eio3": "the Engine.IO echo in revision 3",
    "eio4": "revision 4 of Engine.IO, on which Socket.IO 5 travels",
    "fast-heartbeat": "a heartbeat that expires within 5 seconds",
    "jsonp": "polling by scripts",
    "msgpack": "the Socket.IO application in MessagePack",
    "polling": "the polling transport",
    "recovery": "the Socket.IO application with connection state recovery",
    "sio4": "the Socket.IO application in revision 4, on Engine.IO 3",
    "stop": "a manifest that says how to start and end the server",
    "upgrade": "the upgrade from polling to WebSocket",
    "websocket": "the WebSocket transport",
    **ORDERED,
}
"""What a case may need of a target, in words for people."""

# What all cases of a protocol need.
_SPOKEN = {"eio3": ("eio3",), "eio4": ("eio4",), "sio4": ("sio4",), "sio5": ("eio4",)}
# Three words at least: <protocol>.<area>.<subject>[.<expected>...], all lower case.
_ID = re.compile(r"[a-z]+[0-9](\.[a-z0-9]+(-[a-z0-9]+)*){2,}")
_VARIANT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*(,[a-z0-9]+(-[a-z0-9]+)*)*")

_Function = TypeVar("_Function", bound=Callable[..., Awaitable[None]])


class Registry:
    """A set of cases in the order of their declaration."""

    def __init__(self) -> None:
        self._cases: dict[str, Case] = {}

    def case(
        self,
        id: str,
        *,
        covers: Collection[str],
        needs: Collection[str] = (),
        tags: Collection[str] = (),
        variants: Mapping[str, Any] | None = None,
        also: str | None = None,
        stand_ins: Mapping[str, str] | None = None,
    ) -> Callable[[_Function], _Function]:
        """Declare the decorated coroutine function as a case, or as one case per variant.

        ``also`` is another protocol, in which the same is asked under an id that begins with it.
        ``stand_ins`` has the rules that are charged there instead, where its documents do not say
        what those of the first one do.

        The function takes the bench, and with ``variants`` also the value of the variant, whose
        name becomes part of the id in brackets. Its docstring tells people what is asked.
        ``covers`` names the rules that the checks may name; the first is the default.

        Raises ``SuiteError`` for a declaration that can never be right.
        """

        def declare(function: _Function) -> _Function:
            summary = inspect.getdoc(function)
            if not summary:
                raise SuiteError(f"the case {id} has no docstring")
            if not _ID.fullmatch(id):
                raise SuiteError(f"{id!r} is no id for a case")
            if not covers:
                raise SuiteError(f"the case {id} covers no rule")
            for need in needs:
                if need not in NEEDS:
                    raise SuiteError(f"the case {id} needs {need!r}, which nobody knows")
            others = dict(stand_ins or {})
            if others and (also is None or not others.keys() <= set(covers)):
                raise SuiteError(
                    f"the case {id} has stand-ins for what it does not cover elsewhere"
                )
            runs: dict[str, Callable[..., Awaitable[None]]] = {}
            for name, value in {"": None}.items() if variants is None else variants.items():
                if variants is not None and not _VARIANT.fullmatch(name):
                    raise SuiteError(f"{name!r} is no name for a variant of {id}")
                for base in _ids(id, also):
                    full_id = base if variants is None else f"{base}[{name}]"
                    runs[full_id] = function if variants is None else _bound(function, value)
            for full_id, run in runs.items():
                if full_id in self._cases:
                    raise SuiteError(f"there are two cases called {full_id}")
                protocol = full_id.partition(".")[0]
                charged = others if protocol == also else {}
                self._cases[full_id] = Case(
                    id=full_id,
                    summary=summary,
                    covers=tuple(dict.fromkeys(charged.get(rule, rule) for rule in covers)),
                    needs=(*needs, *_SPOKEN.get(protocol, ())),
                    tags=frozenset(tags),
                    run=run,
                    stand_ins=charged,
                )
            return function

        return declare

    def cases(self, rules: Mapping[str, Rule]) -> list[Case]:
        """Return the cases, those that name an unknown rule marked with the problem."""
        return [_examined(case, rules) for case in self._cases.values()]


def _ids(id: str, also: str | None) -> list[str]:
    return [id] if also is None else [id, f"{also}.{id.partition('.')[2]}"]


def _bound(function: Callable[..., Awaitable[None]], value: Any) -> Callable[..., Awaitable[None]]:
    async def run(bench: Any) -> None:
        await function(bench, value)

    return run


def _examined(case: Case, rules: Mapping[str, Rule]) -> Case:
    unknown = [rule for rule in case.covers if rule not in rules]
    if not unknown:
        return case
    return replace(case, problem=f"covers {', '.join(unknown)}, which is no rule")


def across(*axes: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return the variants that combine every variant of each axis with those of the others."""
    combined: dict[str, tuple[Any, ...]] = {"": ()}
    for axis in axes:
        combined = {
            f"{left},{right}" if left else right: (*values, value)
            for left, values in combined.items()
            for right, value in axis.items()
        }
    return combined


EXTENSIONS = "sioproto_conformance.cases"
"""The group of entry points that name modules with cases of one's own."""

_REGISTRY = Registry()
case = _REGISTRY.case


@functools.cache
def _import_cases() -> None:
    package = importlib.import_module("sioproto_conformance.cases")
    modules: Iterable[pkgutil.ModuleInfo] = pkgutil.walk_packages(
        package.__path__, package.__name__ + "."
    )
    for module in sorted(modules, key=lambda found: found.name):
        importlib.import_module(module.name)
    for point in sorted(entry_points(group=EXTENSIONS), key=lambda found: found.name):
        try:
            point.load()
        except Exception as error:  # whatever somebody else's module does
            raise SuiteError(f"the cases of {point.name} ({point.value}): {error!r}") from error


def all_cases() -> list[Case]:
    """Return every case, also of extensions, sorted by protocol and area, else as declared."""
    _import_cases()
    return sorted(_REGISTRY.cases(all_rules()), key=lambda found: found.area)
