"""Every fact that may meet one client of a Socket.IO server, whatever its situation.

A fact is whatever a driver may state; commands of the application are facts here too. Those that
make no sense in a situation, such as a frame where there is no WebSocket, do nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial

from sioproto import ClosedError, LimitError, LocalProtocolError
from sioproto.engineio import Request
from sioproto.socketio import Socket
from tests.harness import request
from tests.property.worlds import MAX_PAYLOAD, World

PACKETS = (
    *(
        "0",
        "1",
        "2",
        "2probe",
        "3",
        "3probe",
        "4",
        "5",
        "5x",
        "6",
        "7",
        "",
        "\ud800",
        "b",
        "b!",
        "bAQID",
    ),
    *("40", "40/", "40/custom,", "40/other,", "40/unknown", '40{"pid":"x","offset":"y"}', "40[]"),
    *(
        "41",
        "41/custom",
        "41{}",
        '42["e",1]',
        '42/custom,["e"]',
        '427["e"]',
        "42",
        "42{}",
        '42["connect"]',
    ),
    *("430[1]", "431[]", "43[]", "439[]", "43", '44{"message":"x"}', "4abc", '42["e"'),
    *(
        '451-["b",{"_placeholder":true,"num":0}]',
        '451-["b",{"_placeholder":true,"num":7}]',
        "4511-[]",
    ),
    *('450-["b"]', "460-[]", '461-0[{"_placeholder":true,"num":0}]', "47", "4" + "9" * MAX_PAYLOAD),
    "42" + "[" * 250,
)
BINARIES = (b"", b"x", b"\x04x")
PAYLOADS = (
    *("\x1e", "4\x1e", '40\x1e42["e"]', "41\x1e40", '42["e"]\x1e1\x1e42["e"]', "3\x1e3", "1\x1e7"),
    *("bAQID\x1ebAQID", '42["e"]\x1e7', "2\x1e1"),
)
QUERIES = (
    "EIO=4&transport=polling&sid={sid}",
    "EIO=3&transport=polling&sid={sid}",
    "transport=polling&sid={sid}",
    "EIO=4&transport=websocket&sid={sid}",
    "EIO=4&transport=carrier&sid={sid}",
    "EIO=4&transport=polling&sid={sid}x",
    "EIO=4&transport=polling&sid={sid}&sid=",
    "EIO=4&transport=polling",
    "EIO=4&transport=websocket",
    "%ff=%zz&&=",
)

Fact = Callable[[World], object]


def _head(query: str, method: str, **headers: str) -> Callable[[World], Request]:
    return lambda world: request(query.format(sid=world.sid), method, **headers)


def _start(head: Callable[[World], Request], world: World) -> None:
    world.driver.start(head(world))


def _connect(head: Callable[[World], Request], world: World) -> None:
    world.driver.connect(head(world))


def _abort(which: str, world: World) -> None:
    world.driver.abort(getattr(world, which) or "long gone")


def _sent(world: World, w: str) -> None:
    world.driver.sent(w)


def _closed(error: Exception | None, world: World, w: str) -> None:
    world.driver.closed(w, error)


def send_frames(world: World, which: str, frames: Iterable[str | bytes]) -> None:
    """Messages on the transport, or on the candidate, if that is there."""
    w = getattr(world, which)
    if w in world.driver.in_flight:
        world.driver.frame(w, *frames)


def _frame(which: str, *frames: str | bytes) -> Fact:
    return lambda world: send_frames(world, which, frames)


def send_body(world: World, body: bytes) -> None:
    """The body of the POST that is pending, or a POST of its own."""
    if world.post:
        world.driver.body(world.post, body)
    else:
        query = f"EIO=4&transport=polling&sid={world.sid}"
        world.driver.http(request(query, "POST"), body)


def _on_websocket(which: str, what: Callable[[World, str], object], busy: bool = False) -> Fact:
    def fact(world: World) -> None:
        w = getattr(world, which)
        if w in world.driver.in_flight and (world.driver.in_flight[w] or not busy):
            what(world, w)

    return fact


def _heads() -> Iterator[tuple[str, Fact]]:
    for query in QUERIES:
        for method in ("GET", "POST", "PUT", "HEAD", "OPTIONS"):
            head = _head(query, method)
            yield f"{method} {query}", partial(_start, head)
        head = _head(query, "GET")
        yield f"upgrade {query}", partial(_connect, head)
    for length in (str(MAX_PAYLOAD + 1), "9" * 5000, "-1", "²", ""):
        head = _head(QUERIES[0], "POST", content_length=length)
        yield f"POST announced as {length[:9]}", partial(_start, head)


def _contents() -> Iterator[tuple[str, Fact]]:
    for text in (*PACKETS, *PAYLOADS):
        body = text.encode("utf-8", "surrogatepass")
        yield f"body {text[:60]!a}", partial(send_body, body=body)
    for body in (*BINARIES, b"\xff", b"4" * (MAX_PAYLOAD + 1)):
        yield f"body {body[:9]!r}", partial(send_body, body=body)
    for which in ("transport", "candidate"):
        for frame in (*PACKETS, *BINARIES):
            yield f"{frame[:60]!a} on the {which}", _frame(which, frame)
        yield f"two on the {which}", _frame(which, "40", '42["e"]')
        yield f"2probe and 5 on the {which}", _frame(which, "2probe", "5")


def _endings() -> Iterator[tuple[str, Fact]]:
    for which in ("poll", "post"):
        yield f"the {which} is aborted", partial(_abort, which)
    for which in ("transport", "candidate"):
        yield f"{which} sent", _on_websocket(which, _sent, busy=True)
        for error in (None, OSError("lost"), LimitError("too big", rule="EIO-WS-08", limit="x")):
            yield f"{which} closed with {error!r}", _on_websocket(which, partial(_closed, error))


def _wake(seconds: float) -> Fact:
    def fact(world: World) -> None:
        world.driver.now += seconds
        world.core.handle_timeout(now=world.driver.now)
        world.driver.drain()

    return fact


def _next_deadline(world: World) -> None:
    deadline = world.core.next_deadline()
    if deadline is not None:
        _wake(max(0.0, deadline - world.driver.now))(world)


def silence(world: World) -> None:
    """Nobody says anything any more: everything must come to its end by itself."""
    world.driver.sleep(400)
    assert world.sid not in world.core.engine._sessions


def _in_the_past(world: World) -> None:
    world.core.handle_timeout(now=world.driver.now - 100)
    if world.transport in world.driver.in_flight:
        world.core.ws_text(world.transport, '42["e"]', now=world.driver.now - 100)
    world.driver.drain()


TIMES: tuple[tuple[str, Fact], ...] = (
    *((f"woken after {seconds} s", _wake(seconds)) for seconds in (0.0, 0.1, 3.0, 10.0, 1000.0)),
    ("woken when due", _next_deadline),
    ("silence", silence),
    ("a clock that runs backwards", _in_the_past),
)


def _command(what: Callable[[World], object], *expected: type[Exception]) -> Fact:
    def fact(world: World) -> None:
        with suppress(*expected):
            what(world)
        world.driver.drain()

    return fact


def _each(stages: str, what: Callable[[World, Socket], object], *expected: type[Exception]) -> Fact:
    def fact(world: World) -> None:
        for socket in [s for stage in stages for s in world.ledger_now().at(stage)]:
            with suppress(*expected):
                what(world, socket)
        world.driver.drain()

    return fact


def _disconnect(close: bool, world: World, socket: Socket) -> None:
    socket.disconnect(close, now=world.driver.now)


def _close(discard: bool, world: World) -> None:
    world.core.engine.close(world.sid, now=world.driver.now, discard=discard)


def _reject(world: World, socket: Socket) -> None:
    world.core.reject(socket, "no", {"a": 1})
    world.ledger_now().refused(socket)


def _request_ack(world: World, socket: Socket) -> None:
    id = socket.emit_with_ack("q", timeout=1, now=world.driver.now)
    world.ledger.expect(socket, id)


def _request_acks(world: World) -> None:
    for name in ("/", "/custom"):
        namespace = world.core.of(name)
        id = namespace.to().emit_with_ack("q", b"x", timeout=1, now=world.driver.now)
        world.ledger.expect(namespace, id)


def _answer_requests(what: str) -> Fact:
    def fact(world: World) -> None:
        for event in world.requests:
            with suppress(ClosedError):
                getattr(world.core, what)(event.request)
        world.driver.drain()

    return fact


COMMANDS: tuple[tuple[str, Fact], ...] = (
    ("accept", _each("qacdDr", lambda w, s: w.core.accept(s), ClosedError, LocalProtocolError)),
    ("reject", _each("qacdDr", _reject, ClosedError, LocalProtocolError)),
    ("grant", _answer_requests("grant")),
    ("deny", _answer_requests("deny")),
    ("emit", _each("qacdDr", lambda world, socket: socket.emit("e", b"x"))),
    ("volatile", _each("qacdDr", lambda world, socket: socket.volatile.emit("e", b"x"))),
    ("join", _each("qacdDr", lambda world, socket: socket.join("room"))),
    ("leave", _each("qacdDr", lambda world, socket: socket.leave(socket.id))),
    ("request", _each("qacdDr", _request_ack, ClosedError)),
    ("request of all", _command(_request_acks)),
    ("broadcast", _each("qacdDr", lambda world, socket: socket.broadcast.emit("e"))),
    ("reply", _command(lambda world: [reply(1) for reply in world.replies])),
    *(
        (f"disconnect({close})", _each("qacdDr", partial(_disconnect, close), LocalProtocolError))
        for close in (False, True)
    ),
    *(
        (f"close, discard={discard}", _command(partial(_close, discard)))
        for discard in (False, True)
    ),
    ("fail", _command(lambda world: world.core.engine.fail(world.sid, OSError("we fail")))),
    ("hold", _command(lambda world: world.core.engine.hold(world.sid, now=world.driver.now))),
    ("resume", _command(lambda world: world.core.engine.resume(world.sid, now=world.driver.now))),
    ("shutdown", _command(lambda world: world.core.shutdown(now=world.driver.now))),
)

FACTS: tuple[tuple[str, Fact], ...] = (
    *_heads(),
    *_contents(),
    *_endings(),
    *TIMES,
    *COMMANDS,
)
