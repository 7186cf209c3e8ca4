"""What turns packets into messages and back: a protocol that others may implement, and the usual
one."""

from __future__ import annotations

from typing import Protocol

from sioproto._json import JsonCodec, StrictJson
from sioproto.socketio._decoder import Decoder
from sioproto.socketio._packet import Packet, encode_packet


class PacketDecoder(Protocol):
    """Puts the packets of one connection together."""

    @property
    def missing(self) -> int:
        """How many messages have yet to come before the packet begun is whole; 0 between packets.

        While it is not 0, each message has to come within ``attachment_timeout``.
        """

    def feed(self, message: str | bytes) -> Packet | None:
        """Take one message; None if the packet begun is not whole yet.

        What is returned has to pass :func:`check_packet`.

        Raises:
            DecodeError: the message is no packet, or not what must come next. What was begun is
                lost. Nothing else may be raised but this and ``LimitError``.
        """

    def reset(self) -> None:
        """Forget a packet begun."""


class Parser(Protocol):
    """An encoding of packets, which both ends have to agree on beforehand (SIO-PKT-15)."""

    def encode(self, packet: Packet) -> list[str | bytes]:
        """Encode a packet into the messages that carry it, one at least, in order.

        Recipients of a broadcast share them. Texts must be such as UTF-8 can carry.

        Raises:
            LocalProtocolError: the payload cannot be expressed. Nothing else may be raised.
        """

    def decoder(self, *, max_attachments: int) -> PacketDecoder:
        """Make a decoder for a new connection.

        Args:
            max_attachments: most messages that a packet may announce besides its first.
        """


class TextParser:
    """The usual encoding: JSON in a text, binary values in messages of their own behind it.

    Args:
        json: encodes and decodes payloads; :class:`StrictJson` unless given.
    """

    def __init__(self, json: JsonCodec | None = None) -> None:
        self._json = json or StrictJson()

    def encode(self, packet: Packet) -> list[str | bytes]:
        """Encode a packet: its text, then its attachments.

        Raises:
            LocalProtocolError: the payload cannot be expressed in JSON, or holds binary where none
                may be.
        """
        text, attachments = encode_packet(packet, self._json)
        return [text, *attachments]

    def decoder(self, *, max_attachments: int) -> Decoder:
        """Make a decoder for a new connection."""
        return Decoder(self._json, max_attachments=max_attachments)
