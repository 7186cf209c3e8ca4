"""Where cases are declared and found."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from sioproto_conformance._model import Case, Rule, SuiteError
from sioproto_conformance._rules import all_rules

NEEDS = {
    "app": "the Socket.IO application of the contract",
    "echo": "the Engine.IO echo of the contract",
    "fast-heartbeat": "a heartbeat that expires within 5 seconds",
    "polling": "the polling transport",
    "upgrade": "the upgrade from polling to WebSocket",
    "websocket": "the WebSocket transport",
}
"""What a case may need of a target, in words for people."""

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
    ) -> Callable[[_Function], _Function]:
        """Declare the decorated coroutine function as a case, or as one case per variant.

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
            runs: dict[str, Callable[..., Awaitable[None]]] = {}
            if variants is None:
                runs[id] = function
            else:
                for name, value in variants.items():
                    if not _VARIANT.fullmatch(name):
                        raise SuiteError(f"{name!r} is no name for a variant of {id}")
                    runs[f"{id}[{name}]"] = _bound(function, value)
            for full_id, run in runs.items():
                if full_id in self._cases:
                    raise SuiteError(f"there are two cases called {full_id}")
                self._cases[full_id] = Case(
                    id=full_id,
                    summary=summary,
                    covers=tuple(covers),
                    needs=tuple(needs),
                    tags=frozenset(tags),
                    run=run,
                )
            return function

        return declare

    def cases(self, rules: Mapping[str, Rule]) -> list[Case]:
        """Return the cases, those that name an unknown rule marked with the problem."""
        return [_examined(case, rules) for case in self._cases.values()]


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


def all_cases() -> list[Case]:
    """Return every case of the suite, sorted by protocol and area, else as declared."""
    _import_cases()
    return sorted(_REGISTRY.cases(all_rules()), key=lambda found: found.area)
