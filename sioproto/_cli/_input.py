"""Lines from a keyboard or a pipe, while other things go on."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import trio
from rich.console import Console

PROMPT = "> "
MAX_LINE = 16_000_000
"""Most bytes in a line of a pipe."""


class LineTooLong(Exception):
    """A line of more than ``MAX_LINE`` bytes."""


async def piped_lines() -> AsyncIterator[str]:
    """The lines of standard input, to its end.

    Raises:
        LineTooLong: what comes is no sensible input.
    """
    stream = sys.stdin.buffer
    try:
        descriptor: int | None = stream.fileno()
    except OSError:
        descriptor = None  # no file, but something that stands in its place
    rest = b""
    while True:
        # Not through Python's buffer, whose lock an abandoned thread would hold at exit.
        data = await trio.to_thread.run_sync(
            _read, descriptor, abandon_on_cancel=descriptor is not None
        )
        *lines, rest = (rest + data).split(b"\n")
        if len(rest) > MAX_LINE:
            raise LineTooLong
        for line in lines:
            yield line.decode("utf-8", "replace")
        if not data:
            break
    if rest:
        yield rest.decode("utf-8", "replace")


def _read(descriptor: int | None) -> bytes:
    if descriptor is None:
        return sys.stdin.buffer.readline()
    return os.read(descriptor, 65_536)


class Keyboard:
    """Lines that a person types, with the line kept in view while other text comes.

    Args:
        out: where that text goes.
    """

    def __init__(self, out: Console) -> None:
        self._out = out
        self._asking = False
        try:
            import readline
        except ImportError:  # not on every system
            self._buffer: Callable[[], str] = str
        else:
            self._buffer = readline.get_line_buffer

    async def lines(self) -> AsyncIterator[str]:
        """What is typed, until Ctrl-D."""
        while True:
            try:
                line = await trio.to_thread.run_sync(self._ask, abandon_on_cancel=True)
            except EOFError:
                break
            yield line

    def _ask(self) -> str:
        self._asking = True
        try:
            return input(PROMPT)
        finally:
            self._asking = False

    @contextmanager
    def above(self) -> Iterator[None]:
        """Text printed in this context appears above the line being typed."""
        if not self._asking:
            yield
            return
        file = self._out.file
        file.write("\r\x1b[K")
        file.flush()
        yield
        file.write(PROMPT + self._buffer())
        file.flush()


@contextmanager
def terminal_restored() -> Iterator[None]:
    """Leave the terminal as it was, also if a thread is still reading from it."""
    try:
        import termios

        descriptor = sys.stdin.fileno()
        saved = termios.tcgetattr(descriptor)
    except (ImportError, OSError, ValueError):
        yield
        return
    except termios.error:
        yield
        return
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, saved)
