"""HTTP/1.1 as bytes: requests read and answers written by h11, or by hand where they are simple.

Nearly all requests are alike: a GET or a POST, a whole head, plain headers, a body of known length.
Read and answered by hand they take a sixth of the time. Whatever is unusual about the head of a
request, that request is h11's, from its first byte to the last of its answer, and h11 stays the
authority: what is read by hand, it would have read in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time

import h11

from sioproto.engineio._headers import TOKEN

Headers = tuple[tuple[str, str], ...]

REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}

_REQUEST_LINE = re.compile(r"(GET|POST) ([!-~]+) HTTP/1\.1")
_FIELDS = re.compile(rf"(?:{TOKEN.pattern}:[\t -~]*\r\n)+")
_UNUSUAL = frozenset({"transfer-encoding", "expect"})
_MAX_DIGITS = 15


class Malformed(Exception):
    """What the client sent is no HTTP.

    Args:
        status: of the answer.
        message: what is wrong.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Head:
    """The head of a request. Names of headers are in lower case."""

    __slots__ = ("headers", "length", "method", "target", "version")

    def __init__(
        self, method: str, target: str, version: bytes, headers: Headers, length: int = 0
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        """As in ``b"1.1"``."""
        self.headers = headers
        self.length = length
        """How long the body is, if that is simple to tell."""


class HttpProtocol:
    """The bytes of one connection: requests in, answers out, one after another.

    Args:
        max_header_bytes: most bytes in an unfinished head.
        fast: whether simple requests may be read by hand.
    """

    def __init__(self, max_header_bytes: int, *, fast: bool) -> None:
        self._max_header_bytes = max_header_bytes
        self._fast = fast
        self._h11: h11.Connection | None = None  # whose the request is, unless read by hand
        self._data = b""  # received and not taken; none while h11 has it
        self._owed = 0  # bytes of the body that are not taken
        self._ended = False  # the client sends no more
        self._answering = False  # a request has been read by hand, and is not answered
        self._last = False
        self._is_head = False
        if not fast:
            self._call_h11()

    def _call_h11(self) -> h11.Connection:
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=self._max_header_bytes)
        if self._data:
            self._h11.receive_data(self._data)
            self._data = b""
        if self._ended:
            self._h11.receive_data(b"")
        return self._h11

    # Reading

    def receive(self, data: bytes) -> None:
        """Take bytes from the network; none if the client sends no more."""
        self._ended = not data
        if self._h11 is not None:
            self._h11.receive_data(data)
        else:
            self._data += data

    @property
    def rest(self) -> bytes:
        """What has come and belongs to no request that was read, or to a head that is not whole."""
        return self._data if self._h11 is None else self._h11.trailing_data[0]

    def next_head(self) -> Head | None:
        """The head of the next request; None if it is not there, or will never be: see ``ended``.

        Raises:
            Malformed: it is no HTTP.
        """
        self._is_head = False
        if self._h11 is None:
            if not self._data:
                return None
            simple = read_simple_head(self._data)
            if simple is not None:
                head, end = simple
                self._data = self._data[end:]
                self._owed = head.length
                self._answering = True
                return head
        protocol = self._h11 or self._call_h11()
        try:
            event = protocol.next_event()
        except h11.RemoteProtocolError as error:
            raise Malformed(error.error_status_hint, str(error)) from None
        if not isinstance(event, h11.Request):
            return None
        self._is_head = event.method == b"HEAD"
        headers = tuple(
            (name.decode("ascii"), value.decode("iso-8859-1")) for name, value in event.headers
        )
        method, target = event.method.decode("ascii"), event.target.decode("ascii")
        return Head(method, target, bytes(event.http_version), headers)

    @property
    def ended(self) -> bool:
        """Whether no further request can come."""
        return self._ended and not self.rest

    @property
    def wants_to_go_on(self) -> bool:
        """Whether the client waits for a 100 before it sends the body."""
        return self._h11 is not None and self._h11.they_are_waiting_for_100_continue

    def take_body(self, body: bytearray, limit: int) -> bool:
        """Take what is there of the body. True if that was all, or makes more than ``limit``.

        Raises:
            Malformed: it is no HTTP.
        """
        if self._h11 is None:
            body += self._take_owed()
            return not self._owed or len(body) > limit
        try:
            while len(body) <= limit:
                event = self._h11.next_event()
                if isinstance(event, h11.Data):
                    body += event.data
                else:
                    return event is not h11.NEED_DATA
        except h11.RemoteProtocolError as error:
            raise Malformed(error.error_status_hint, str(error)) from None
        return True

    def skip_body(self) -> bool:
        """Throw away what is there of the body. True if the request has come to its end."""
        if self._h11 is None:
            self._take_owed()
            return self._answering and not self._owed
        try:
            while self._h11.their_state is h11.SEND_BODY:
                if self._h11.next_event() is h11.NEED_DATA:
                    return False
        except h11.RemoteProtocolError:
            return False
        return self._h11.their_state not in (h11.IDLE, h11.ERROR)

    def _take_owed(self) -> bytes:
        piece = self._data[: self._owed]
        self._owed -= len(piece)
        self._data = self._data[len(piece) :]
        return piece

    # Answering

    @property
    def can_answer(self) -> bool:
        """Whether an answer may be written now."""
        if self._h11 is None:
            return self._answering
        return self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE)

    @property
    def can_go_on(self) -> bool:
        """Whether, once it is answered, another request may follow the one that has come."""
        return self._answering if self._h11 is None else self._h11.their_state is h11.DONE

    def go_on(self) -> bytes:
        """What lets the client send the body."""
        return self._written(
            h11.InformationalResponse(status_code=100, headers=[], reason=REASONS[100])
        )

    def switch(self, headers: Iterable[tuple[str, str]]) -> bytes:
        """The answer that ends HTTP on this connection: what follows is another protocol."""
        fields = tuple(headers)
        if self._h11 is None:
            return _head_by_hand(101, fields) + b"\r\n"
        return self._written(
            h11.InformationalResponse(
                status_code=101, headers=_encoded(fields), reason=REASONS[101]
            )
        )

    def answer(self, status: int, headers: Headers, body: bytes, *, close: bool) -> bytes:
        """An answer: the last if ``close`` is set, or the client wanted no other."""
        bodiless = status in (204, 304)
        sent_body = b"" if bodiless or self._is_head else body
        if self._h11 is None:
            self._answering = False
            self._last = close
            length = b"" if bodiless else b"content-length: %d\r\n" % len(body)
            end = b"connection: close\r\n\r\n" if close else b"\r\n"
            date = b"date: %b\r\n" % _date(int(time()))
            return b"".join((_head_by_hand(status, headers), date, length, end, sent_body))
        fields = [*_encoded(headers), (b"date", _date(int(time())))]
        if not bodiless:
            fields.append((b"content-length", b"%d" % len(body)))
        if close:
            fields.append((b"connection", b"close"))
        reason = REASONS.get(status, b"")
        data = self._written(h11.Response(status_code=status, headers=fields, reason=reason))
        if sent_body:
            data += self._written(h11.Data(data=sent_body))
        return data + self._written(h11.EndOfMessage())

    def _written(self, event: h11.Event) -> bytes:
        assert self._h11 is not None
        return self._h11.send(event) or b""

    @property
    def is_last(self) -> bool:
        """Whether this side says nothing behind the answer that is written."""
        return self._last if self._h11 is None else self._h11.our_state is not h11.DONE

    def next_cycle(self) -> bool:
        """Whether the next request may come, now that this one is answered."""
        if self._h11 is None:
            return not (self._last or self._answering)
        if self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            return False
        if self._fast:
            self._data, self._h11 = self._h11.trailing_data[0], None
        else:
            self._h11.start_next_cycle()
        return True


def read_simple_head(data: bytes) -> tuple[Head, int] | None:
    """Read the head of a request that is all there.

    Returns it and where it ends; None if there is anything unusual about it.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    try:
        text = data[: end + 2].decode("ascii")
    except UnicodeDecodeError:
        return None
    line, _, fields = text.partition("\r\n")
    request = _REQUEST_LINE.fullmatch(line)
    # With the fields checked, what separates them can be nothing but what it looks like.
    if request is None or _FIELDS.fullmatch(fields) is None:
        return None
    method, target = request.groups()
    headers = []
    hosts = lengths = length = 0
    for field in fields[:-2].split("\r\n"):
        name, _, value = field.partition(":")
        name, value = name.lower(), value.strip()
        headers.append((name, value))
        if name == "host":
            hosts += 1
        elif name == "content-length":
            if not value.isdigit() or len(value) > _MAX_DIGITS:
                return None
            lengths, length = lengths + 1, int(value)
        elif name == "connection":
            if "close" in value.lower():
                return None
        elif name in _UNUSUAL or (name == "upgrade" and method != "GET"):
            return None
    if hosts != 1 or lengths > 1:
        return None
    return Head(method, target, b"1.1", tuple(headers), length), end + 4


@lru_cache(maxsize=64)
def _head_by_hand(status: int, headers: Headers) -> bytes:
    """What an answer begins with. Many are alike."""
    lines = [b"HTTP/1.1 %d %b" % (status, REASONS.get(status, b""))]
    lines += [b"%b: %b" % field for field in _encoded(headers)]
    return b"\r\n".join(lines) + b"\r\n"


@lru_cache(maxsize=1)
def _date(seconds: int) -> bytes:
    """The header ``date``, made once a second."""
    return formatdate(seconds, usegmt=True).encode()


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Headers with one byte for each character, as those of requests are read."""
    return [(name.encode("ascii"), value.encode("iso-8859-1")) for name, value in headers]
