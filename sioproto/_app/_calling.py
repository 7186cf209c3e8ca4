"""How functions of the application are called, and with how many arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from math import inf
from types import FunctionType
from typing import Any

_VARARGS = inspect.CO_VARARGS


async def invoke(function: Callable[..., Any], *args: Any) -> Any:
    """Call a plain or an async function."""
    result = function(*args)
    if hasattr(result, "__await__"):
        result = await result
    return result


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it returns something to wait for, as far as can be told beforehand."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        type(function).__call__
    )


def arity(function: Callable[..., Any]) -> tuple[int, float]:
    """The least and the greatest number of positional arguments that a function takes."""
    if type(function) is FunctionType and not function.__kwdefaults__:
        # Listeners are registered anew for every client, and ``inspect.signature`` takes 20 times
        # as long.
        code = function.__code__
        if not code.co_kwonlyargcount and not hasattr(function, "__wrapped__"):
            least = code.co_argcount - len(function.__defaults__ or ())
            return least, inf if code.co_flags & _VARARGS else code.co_argcount
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # some built-in functions do not tell
        return 0, inf
    least, most = 0, 0.0
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            most = inf
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            most += 1
            least += parameter.default is parameter.empty
    return least, most


class Listener:
    """A function that listens, and how many arguments fit it."""

    __slots__ = ("concurrent", "function", "least", "most", "once", "simple", "spent")

    def __init__(
        self, function: Callable[..., Any], *, once: bool = False, concurrent: bool = False
    ) -> None:
        self.function = function
        self.once = once
        self.concurrent = concurrent
        """Whether later events need not wait for it."""
        self.simple = not once and not concurrent
        """Whether it is called each time, in its turn."""
        self.spent = False
        self.least, self.most = arity(function)

    def fits(self, count: int) -> bool:
        """Whether so many arguments can be passed."""
        return self.least <= count <= self.most
