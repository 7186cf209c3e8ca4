"""A conversation with a Socket.IO server."""

from __future__ import annotations

import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import Any

import click
import trio

from sioproto import (
    AckTimeout,
    ClosedError,
    ConnectionFailed,
    ConnectionRefused,
    LocalProtocolError,
    SioprotoError,
)
from sioproto._cli._input import Keyboard, LineTooLong, piped_lines, terminal_restored
from sioproto._cli._options import address_of
from sioproto._cli._terminal import console, json_line, say, value_text, values_text
from sioproto._cli._typed import Command, Emission, TypingError, parse_typed
from sioproto._cli._wire import with_path, words_of
from sioproto.engineio import ClientConfig as EngineConfig
from sioproto.socketio import ClientConfig, ClientEventReceived, Reply
from sioproto.trio import ClientSocket
from sioproto.trio import connect as connect_to
from sioproto.trio._client_http import TROUBLE as SERVER_TROUBLE

FINE, TROUBLE, USAGE, NO_SERVER, REFUSED = 0, 1, 2, 3, 4

MAX_REPLIES = 1_000
"""So many events of the server can be acknowledged; older ones are forgotten."""

HELP = """\
hello {"a": 1} "text" 0x0102   emits an event with these values
sum? 1 2                       asks for an acknowledgement
"two words" 1                  an event whose name is in quotes
/ack 1 "done"                  acknowledges event number 1 of the server
/status                        tells how the connection is
/quit                          disconnects, as Ctrl-D does"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What is asked on the command line. Times are seconds."""

    url: str
    path: str
    auth: dict[str, Any] | None
    headers: list[tuple[str, str]]
    ssl_context: ssl.SSLContext
    transport: str | None
    engine_revision: int
    timeout: float
    wait: float
    count: int | None
    reconnect: bool
    as_json: bool


class Talk:
    """The conversation. It runs once."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._out, self._err = console(), console(stderr=True)
        self._interactive = sys.stdin.isatty() and self._out.is_terminal
        self._keyboard = Keyboard(self._out) if self._interactive else None
        self._socket: ClientSocket
        self._arriving: AsyncIterator[ClientEventReceived]
        self._nursery: trio.Nursery
        self._code = FINE
        self._connections = 0
        self._replies: dict[int, Reply] = {}
        self._asked = 0
        self._events = 0
        self._pending = 0
        self._news = trio.Event()

    async def run(self) -> int:
        """Talk until the end of the input, or of the connection. Returns the exit status."""
        options = self._options
        engine = EngineConfig(path=options.path, open_timeout=options.timeout)
        if options.transport is not None:
            engine = replace(engine, transports=(options.transport,))
        client = connect_to(
            options.url,
            auth=options.auth,
            headers=options.headers,
            engine=engine,
            engine_revision=options.engine_revision,
            config=ClientConfig(
                reconnection=options.reconnect,
                connect_timeout=options.timeout,
                ack_timeout=options.timeout,
            ),
            ssl_context=options.ssl_context,
        )
        self._note(f"connecting to {options.url}", style="dim")
        try:
            async with client as self._socket:
                self._watch()
                with terminal_restored() if self._interactive else nullcontext():
                    async with trio.open_nursery() as self._nursery:
                        self._nursery.start_soon(self._listen)
                        self._nursery.start_soon(self._speak)
        except ConnectionRefused as error:
            self._refused(error)
        except ConnectionFailed as error:
            self._fail(self._explain(error), NO_SERVER)
        except LocalProtocolError as error:  # of what is sent along to join
            self._fail(str(error), USAGE)
        return self._code

    # What arrives

    def _watch(self) -> None:
        socket, manager = self._socket, self._socket.manager
        # First of all: a listener alone would begin to take the events, and drop them.
        self._arriving = aiter(socket)
        socket.on("connect")(self._connected)
        socket.on("disconnect")(self._disconnected)
        manager.on("upgrade")(lambda: self._state("upgraded", transport="websocket"))
        manager.on("upgrade_error")(
            lambda error: self._state("not upgraded", error=str(error), style="yellow")
        )
        manager.on("reconnect_attempt")(
            lambda attempt: self._state("connecting again", attempt=attempt, style="dim")
        )
        manager.on("reconnect_error")(
            lambda error: self._state("failed", error=self._explain(error), style="yellow")
        )

    def _connected(self) -> None:
        self._connections += 1
        socket = self._socket
        self._state(
            "connected" if self._connections == 1 else "connected again",
            namespace=socket.namespace,
            id=socket.id,
            transport=socket.manager.transport,
            style="green",
        )
        if self._interactive and self._connections == 1:
            self._note('type an event, such as: hello {"a": 1}   /help tells more', style="dim")

    def _disconnected(self, reason: object, details: Exception | None) -> None:
        fields = {"reason": str(reason)}
        if details is not None:
            fields["details"] = str(details)
        self._state("disconnected", **fields, style="yellow")

    async def _listen(self) -> None:
        try:
            async for event in self._arriving:
                self._event(event)
            self._fail("the server has disconnected this client", TROUBLE)
        except ConnectionRefused as error:
            self._refused(error)
        except ConnectionFailed as error:
            self._fail(self._explain(error), TROUBLE)
        self._nursery.cancel_scope.cancel()

    def _event(self, event: ClientEventReceived) -> None:
        self._events += 1
        number = None
        if event.reply is not None:
            self._asked += 1
            number = self._asked
            self._replies[number] = event.reply
            if len(self._replies) > MAX_REPLIES:
                del self._replies[next(iter(self._replies))]
        asks = "" if number is None else f"   (asks for an acknowledgement: /ack {number})"
        self._show(
            f"< {_named(event.name, event.args)}{asks}",
            {"event": event.name, "args": event.args, "ack": number},
        )
        self._happened()

    # What is typed

    async def _speak(self) -> None:
        keyboard = self._keyboard
        lines: AsyncIterator[str] = piped_lines() if keyboard is None else keyboard.lines()
        number = 0
        try:
            async with aclosing(lines) as lines:  # type: ignore[type-var] # a generator, in truth
                async for line in lines:
                    number += 1
                    if not await self._line(line, number):
                        self._nursery.cancel_scope.cancel()
                        return
        except LineTooLong:
            self._fail(f"line {number + 1} is too long", TROUBLE)
        if keyboard is None:
            await self._wait_for_the_rest()
        self._nursery.cancel_scope.cancel()

    async def _line(self, line: str, number: int) -> bool:
        """Do what a line says. Whether to go on."""
        try:
            typed = parse_typed(line)
            if isinstance(typed, Command):
                return self._command(typed)
            if typed is not None:
                await self._emit(typed)
        except (TypingError, SioprotoError) as error:
            if self._interactive:
                self._note(str(error), style="red")
            else:
                self._fail(f"line {number}, {error}", TROUBLE)
        return True

    async def _emit(self, typed: Emission) -> None:
        if typed.wants_ack:
            # It is emitted before this goes on, so that events keep their order.
            self._pending += 1
            await self._nursery.start(self._ask, typed)
            return
        self._socket.emit(typed.name, *typed.args)
        if not self._interactive and self._socket.connected:
            with suppress(ClosedError):
                await self._socket.drain()

    async def _ask(self, typed: Emission, *, task_status: trio.TaskStatus[None]) -> None:
        began = trio.current_time()
        task_status.started()
        name = _name(typed.name)
        try:
            answer = await self._socket.request(typed.name, *typed.args)
        except AckTimeout:
            self._no_ack(name, f"none within {self._options.timeout:g} s")
        except ClosedError:
            self._no_ack(name, "the connection was lost before it came")
        except LocalProtocolError as error:
            self._no_ack(name, str(error))
        else:
            took = trio.current_time() - began
            args = [] if answer is None else list(answer) if type(answer) is tuple else [answer]
            shown = values_text(args) or "without a value"
            self._show(
                f"< acknowledgement of {name} ({took * 1000:.0f} ms): {shown}",
                {"ack_of": typed.name, "args": args, "seconds": round(took, 6)},
            )
        finally:
            self._pending -= 1
            self._happened()

    def _no_ack(self, name: str, why: str) -> None:
        self._fail(f"no acknowledgement of {name}: {why}", TROUBLE)

    def _command(self, typed: Command) -> bool:
        if typed.name == "quit":
            return False
        if typed.name == "help":
            for line in HELP.splitlines():
                self._note(line)
        elif typed.name == "status":
            self._status()
        else:
            number, *args = typed.args
            reply = self._replies.pop(number, None)
            if reply is None:
                raise LocalProtocolError(f"no event number {number} waits for an acknowledgement")
            reply(*args)
        return True

    def _status(self) -> None:
        socket = self._socket
        if socket.connected:
            self._note(
                f"connected to {socket.namespace} as {socket.id} over {socket.manager.transport}"
            )
        else:
            self._note("not connected: what is typed is sent once that is so again")

    def _explain(self, error: Exception) -> str:
        cause = error.__cause__
        if isinstance(cause, SERVER_TROUBLE):
            return words_of(cause, address_of(self._options.url).authority, connected=False)
        return with_path(str(error), self._options.path)

    # The end of a pipe

    async def _wait_for_the_rest(self) -> None:
        while self._pending:  # each for a limited time
            await self._wait_for_news()
        count = self._options.count
        patience = self._options.wait
        if count is not None:
            patience = max(patience, self._options.timeout)
        with trio.move_on_after(patience):
            while count is None or self._events < count:
                await self._wait_for_news()
        if count is not None and self._events < count:
            self._fail(f"{self._events} of {count} events came in time", TROUBLE)

    async def _wait_for_news(self) -> None:
        self._news = trio.Event()
        await self._news.wait()

    def _happened(self) -> None:
        self._news.set()

    # What is said

    def _show(self, text: str, fields: dict[str, Any], style: str = "") -> None:
        """Something that arrived."""
        with self._keyboard.above() if self._keyboard else nullcontext():
            if self._options.as_json:
                click.echo(json_line(fields))
            else:
                say(self._out, text, style)

    def _state(self, what: str, *, style: str = "", **fields: Any) -> None:
        """Something about the connection."""
        if self._options.as_json:
            self._show("", {"state": what, **fields})
            return
        told = ", ".join(
            str(value) if name in ("error", "reason", "details") else f"{name} {value}"
            for name, value in fields.items()
        )
        self._note(f"{what}: {told}" if told else what, style)

    def _note(self, text: str, style: str = "") -> None:
        with self._keyboard.above() if self._keyboard else nullcontext():
            say(self._out if self._interactive else self._err, text, style)

    def _fail(self, text: str, code: int) -> None:
        self._code = code
        self._note(text, "red")

    def _refused(self, error: ConnectionRefused) -> None:
        data = "" if error.data is None else f" {value_text(error.data)}"
        self._fail(f"the server refused: {error.message}{data}", REFUSED)


def _name(name: object) -> str:
    """The name of an event as it would be typed."""
    text = value_text(name)
    if isinstance(name, str) and name.isprintable():
        with suppress(TypingError):
            if parse_typed(name) == Emission(name, (), False):
                return name
    return text


def _named(name: object, args: list[Any]) -> str:
    return f"{_name(name)} {values_text(args)}".rstrip()
