"""Requests read and answers written by hand are what h11 makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sioproto.trio import Response, _http1
from sioproto.trio._http1 import HttpProtocol, Malformed, read_simple_head

MAX_HEADER_BYTES = 400
LIMIT = 40
"""Bytes of a body that are wanted."""

HOST = b"host: x\r\n"
PLAIN = b"GET /a?b HTTP/1.1\r\nHost: x\r\nAccept:*/*\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc"


@pytest.fixture(autouse=True)
def _one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http1, "time", lambda: 1_000_000.0)


class Serving:
    """Drives one connection as the driver does, and writes down what it sees."""

    def __init__(self, *, fast: bool, status: int, switches: bool) -> None:
        self.http = HttpProtocol(MAX_HEADER_BYTES, fast=fast)
        self.seen: list[object] = []
        self._status = status
        self._switches = switches
        self._in_body = False
        self._steps = self._serve()
        next(self._steps)

    def feed(self, data: bytes) -> bool:
        """Feed bytes; none for the end. Returns whether it goes on."""
        if not data and self._in_body:
            return False  # the driver has no more to do with it
        self.http.receive(data)
        try:
            next(self._steps)
        except StopIteration:
            return False
        return True

    def _serve(self) -> Iterator[None]:
        http = self.http
        while True:
            try:
                while (head := http.next_head()) is None and not http.ended:
                    yield
            except Malformed as error:
                self.seen.append(("refused", error.status, str(error), http.can_answer))
                if http.can_answer:
                    self._answer(error.status, b"no", close=True)
                return
            if head is None:
                self.seen.append("end")
                return
            self.seen.append((head.method, head.target, head.version, head.headers))
            if self._switches and any(name == "upgrade" for name, _ in head.headers):
                self.seen.append(http.skip_body())
                self.seen.append((http.switch((("upgrade", "x"),)), http.rest))
                return
            if http.wants_to_go_on:
                self.seen.append(http.go_on())
            body = bytearray()
            try:
                while not http.take_body(body, LIMIT):
                    self._in_body = True
                    yield
            except Malformed:
                self.seen.append(("malformed body", http.can_answer))
                if http.can_answer:
                    self._answer(400, b"malformed", close=True)
                return
            self._in_body = False
            self.seen.append(bytes(body[: LIMIT + 1]))
            self._answer(self._status, bytes(body[:LIMIT]), close=not http.skip_body())
            self.seen.append(http.is_last)
            if not http.next_cycle():
                return

    def _answer(self, status: int, body: bytes, *, close: bool) -> None:
        self.seen.append(self.http.answer(status, (("content-type", "x"),), body, close=close))


def served(pieces: list[bytes], *, fast: bool, status: int, switches: bool) -> list[object]:
    """What is seen of the pieces."""
    serving = Serving(fast=fast, status=status, switches=switches)
    for piece in pieces:
        if piece and not serving.feed(piece):
            return serving.seen
    serving.feed(b"")
    return serving.seen


UNUSUAL_LINES = (
    b"content-length: 3\r\n",
    b"Content-Length: 3, 3\r\n",
    b"content-length: +3\r\n",
    b"content-length: 00000000000000000000003\r\n",
    b"content-length:\r\n",
    b"transfer-encoding: chunked\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"expect: 100-continue\r\n",
    b"connection: close\r\n",
    b"Connection: keep-alive, Close\r\n",
    b"upgrade: websocket\r\n",
    b"host: y\r\n",
    b"x: a\r\n b\r\n",
    b"x: a\n",
    b"x: a\rb\r\n",
    b"x\r\n",
    b": x\r\n",
    b"x: \x00\r\n",
    b"x: \xe9\r\n",
    b"x:\x0b\r\n",
    b"\r\n",
)
"""Each makes a POST one that is not read by hand."""
ODD_LINES = (*UNUSUAL_LINES, b"Connection: keep-alive, Upgrade\r\n", b"x: \t a \t b \t \r\n")

names = st.sampled_from([b"X-A", b"cookie", b"accept", b"User-Agent"])
values = st.sampled_from([b"", b" a", b" a: b, c", b"\t~!\t", b" keep-alive"])
plain_lines = st.builds(lambda name, value: name + b":" + value + b"\r\n", names, values)
request_lines = st.sampled_from(
    [b"GET / HTTP/1.1\r\n", b"POST /a?b=%20c HTTP/1.1\r\n"] * 4
    + [
        b"HEAD / HTTP/1.1\r\n",
        b"GET / HTTP/1.0\r\n",
        b"get / HTTP/1.1\r\n",
        b"GET  / HTTP/1.1\r\n",
        b"GET /\x7f HTTP/1.1\r\n",
        b"GET / HTTP/2.0\r\n",
        b"\r\nGET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\n",
        b"OPTIONS * HTTP/1.1\r\n",
    ]
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request: mostly a simple one."""
    lines = [HOST, *draw(st.lists(plain_lines, max_size=4))]
    body = draw(st.binary(max_size=LIMIT + 10))
    if draw(st.booleans()):
        lines.append(b"Content-Length: %d\r\n" % len(body))
    else:
        body = b""
    if draw(st.integers(0, 2)) == 0:
        lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(ODD_LINES)))
    if draw(st.integers(0, 9)) == 0:
        body = b"3\r\nabc\r\n0\r\n\r\n"
    return draw(request_lines) + b"".join(lines) + b"\r\n" + body


@st.composite
def pieces(draw: st.DrawFn) -> list[bytes]:
    """Requests, perhaps with a fault, cut anywhere."""
    data = bytearray(b"".join(draw(st.lists(requests(), max_size=4))))
    if data and draw(st.integers(0, 3)) == 0:
        data[draw(st.integers(0, len(data) - 1))] = draw(st.sampled_from(b"\r\n\t :\x00\x80,a0"))
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=4))
    edges = [0, *sorted(cuts), len(data)]
    return [bytes(data[begin:end]) for begin, end in pairwise(edges)]


@given(pieces(), st.sampled_from([200, 200, 400, 204, 299]), st.booleans())
@example([PLAIN + POST + PLAIN], 200, False)
@example([POST[:-2], POST[-2:] + PLAIN[:20], PLAIN[20:] + POST], 200, False)
@example([b"POST / HTTP/1.1\r\nhost:x\r\ncontent-length:60\r\n\r\n" + b"y" * 50], 200, False)
@example([PLAIN + b"x"], 200, True)
@example([b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: a\r\n\r\nmore"], 200, True)
@example([b"GET / HTTP/1.1\r\nhost: x\nupgrade: a\r\n\r\nmore\r\n\r\n"], 200, True)
@example([b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 500 + b"\r\n\r\n"], 200, False)
@example([b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 500, b"\r\n\r\n"], 200, False)
def test_both_lanes_give_the_same_for_any_bytes(
    pieces: list[bytes], status: int, switches: bool
) -> None:
    """Above all, they agree on where a request ends."""
    fast, slow = (
        served(pieces, fast=fast, status=status, switches=switches) for fast in (True, False)
    )
    assert fast == slow


@given(st.binary(max_size=300))
def test_both_lanes_give_the_same_for_noise(data: bytes) -> None:
    fast, slow = (served([data], fast=fast, status=200, switches=True) for fast in (True, False))
    assert fast == slow


@pytest.mark.parametrize("line", UNUSUAL_LINES[:-1])
def test_what_could_be_read_in_two_ways_is_not_read_by_hand(line: bytes) -> None:
    head = b"POST / HTTP/1.1\r\ncontent-length: 3\r\n" + HOST
    assert read_simple_head(head + b"\r\nabc") is not None
    assert read_simple_head(head + line + b"\r\nabc") is None


def test_h11_leaves_once_the_unusual_request_is_answered() -> None:
    serving = Serving(fast=True, status=200, switches=False)
    assert serving.feed(PLAIN.replace(b"GET", b"PUT") + PLAIN[:10])
    assert serving.http._h11 is not None  # of a head that is not whole, either
    assert serving.feed(PLAIN[10:])
    assert serving.http._h11 is None
    assert serving.feed(POST)
    assert serving.http._h11 is None
    assert len(serving.seen) == 12


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": 199},
        {"status": 600},
        {"headers": (("content-length", "1"),)},
        {"headers": (("Transfer-Encoding", "chunked"),)},
        {"headers": (("a b", "c"),)},
        {"headers": (("a", "b\r\nc: d"),)},
    ],
)
def test_an_answer_that_cannot_be_sent_is_none(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Response"):
        Response(**wrong)  # type: ignore[arg-type] # wrong on purpose
