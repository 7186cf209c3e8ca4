"""An outgoing packet with its wire forms, each built at most once and shared by all recipients."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from sioproto._errors import LocalProtocolError


class WsFrame:
    """The payload of one outgoing WebSocket message.

    ``cache`` belongs to the driver: the core never touches it. A driver that keeps the framed bytes
    there frames a broadcast once, because all recipients share the object.
    """

    __slots__ = ("cache", "compress", "payload")

    def __init__(self, payload: str | bytes, compress: bool = True) -> None:
        self.payload = payload
        self.compress = compress
        """Whether it may be compressed, if the connection can (SIO-EVT-16)."""
        self.cache: Any = None

    def __repr__(self) -> str:
        return f"WsFrame({self.payload!r})"


class Message(WsFrame):
    """One outgoing packet, immutable but for the driver's ``cache``. The names of revision 3's own
    forms end in ``v3``.

    It is its own usual WebSocket form: a second object for that took a tenth of encoding an event
    with attachments.

    Args:
        packet: text is a whole packet, type digit included; bytes are the content of a binary
            message packet.
        compress: whether it may be compressed, if the connection can.
    """

    __slots__ = ("_forms", "size")

    def __init__(self, packet: str | bytes, compress: bool = True) -> None:
        self.payload = packet
        self.compress = compress
        self.cache = None
        self.size = len(packet)
        """What the packet counts for in a session's buffer: characters or bytes."""
        self._forms: _BinaryForms | None = None  # text has one form alone

    def __repr__(self) -> str:
        return f"Message({self.payload!r})"

    @property
    def packet(self) -> str | bytes:
        """What it was made of."""
        return self.payload

    @property
    def text(self) -> str:
        """The form that polling uses, where binary is base64 behind a ``b`` (EIO-PKT-06)."""
        packet = self.payload
        return packet if isinstance(packet, str) else self._binary_forms(packet).text

    @property
    def frame(self) -> WsFrame:
        """The WebSocket form: the packet as it is, binary without a type (EIO-PKT-04)."""
        return self

    @property
    def text_frame(self) -> WsFrame:
        """The WebSocket form for a peer that cannot take binary (EIO-QP-10)."""
        packet = self.payload
        return self if isinstance(packet, str) else self._binary_forms(packet).text_frame

    @property
    def frame_v3(self) -> WsFrame:
        """The WebSocket form, where binary begins with its type (EIO-PKT-05)."""
        packet = self.payload
        return self if isinstance(packet, str) else self._binary_forms(packet).frame_v3

    @property
    def text_v3(self) -> str:
        """The form in a payload of text, where binary is base64 behind ``b4`` (EIO-PKT-07)."""
        packet = self.payload
        return packet if isinstance(packet, str) else self._binary_forms(packet).text_v3

    @property
    def text_frame_v3(self) -> WsFrame:
        """The WebSocket form for a peer that cannot take binary."""
        packet = self.payload
        return self if isinstance(packet, str) else self._binary_forms(packet).text_frame_v3

    def _binary_forms(self, packet: bytes) -> _BinaryForms:
        forms = self._forms
        if forms is None:
            forms = self._forms = _BinaryForms(packet, self.compress)
        return forms


class _BinaryForms:
    """What else becomes of a binary message, when somebody needs it."""

    def __init__(self, packet: bytes, compress: bool) -> None:
        self._packet = packet
        self._compress = compress

    @cached_property
    def text(self) -> str:
        return "b" + b64encode(self._packet).decode("ascii")

    @cached_property
    def text_frame(self) -> WsFrame:
        return WsFrame(self.text, self._compress)

    @cached_property
    def frame_v3(self) -> WsFrame:
        return WsFrame(b"\x04" + self._packet, self._compress)

    @cached_property
    def text_v3(self) -> str:
        return "b4" + b64encode(self._packet).decode("ascii")

    @cached_property
    def text_frame_v3(self) -> WsFrame:
        return WsFrame(self.text_v3, self._compress)


def text_message(data: str, compress: bool = True) -> Message:
    """A message packet that carries text."""
    return Message("4" + data, compress)


def binary_message(data: bytes, compress: bool = True) -> Message:
    """A message packet that carries bytes."""
    return Message(data, compress)


def messages_of(parts: Iterable[str | bytes], compress: bool = True) -> list[Message]:
    """Message packets with what a parser made: bytes, and text that UTF-8 can carry."""
    return [Message("4" + part if isinstance(part, str) else part, compress) for part in parts]


def message_of(data: str | bytes, compress: bool) -> Message:
    """A message packet with what an application wants to send.

    Raises:
        LocalProtocolError: ``data`` is neither text nor bytes, or has a lone surrogate.
    """
    if isinstance(data, str):
        check_text(data)
        return text_message(data, compress)
    if isinstance(data, bytes):
        return binary_message(data, compress)
    raise LocalProtocolError(f"a message is str or bytes, not {type(data).__name__}")


def utf8_length(text: str) -> int:
    """How many bytes a text takes."""
    return len(text) if text.isascii() else len(text.encode())


def check_text(text: str) -> None:
    """Refuse text that UTF-8 cannot carry.

    Raises:
        LocalProtocolError: there is a lone surrogate in it.
    """
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise LocalProtocolError("a lone surrogate cannot be sent") from None
