"""The streaming decoder of one connection: texts and attachments in, packets out."""

from __future__ import annotations

from typing import Any

from sioproto._errors import DecodeError
from sioproto._json import JsonCodec, scanner_of
from sioproto.socketio._packet import Packet, decode_header, decode_usual


class Decoder:
    """Puts packets together from the messages of one connection (SIO-BIN-09).

    Args:
        json: decodes payloads.
        max_attachments: most attachments that a packet may announce.
    """

    def __init__(self, json: JsonCodec, *, max_attachments: int = 10) -> None:
        self._json = json
        self._scan = scanner_of(json)
        self._max_attachments = max_attachments
        self._packet: Packet | None = None
        self._attachments: list[bytes] = []
        self.missing = 0
        """How many attachments have yet to come before the packet begun is whole."""

    def feed(self, message: str | bytes) -> Packet | None:
        """Take one message. None if attachments are missing.

        Raises:
            DecodeError: the message is no packet, or not what must come next. What was begun is
            lost.
            LimitError: a packet announces too many attachments.
        """
        if isinstance(message, bytes):
            return self._attachment(message)
        if self._packet is not None:
            self.reset()
            raise DecodeError("text while attachments are missing", rule="SIO-BIN-15")
        most = self._max_attachments
        packet, missing = decode_usual(message, self._scan, most) or decode_header(
            message, self._json, most
        )
        if not missing:
            return packet
        self._packet = packet
        self.missing = missing
        return None

    def _attachment(self, data: bytes) -> Packet | None:
        packet = self._packet
        if packet is None:
            raise DecodeError("binary that no packet announced", rule="SIO-BIN-16")
        self._attachments.append(data)
        self.missing -= 1
        if self.missing:
            return None
        attachments = self._attachments
        self.reset()
        try:
            _fill_in(packet.data, attachments)
        except RecursionError:
            raise DecodeError("JSON is nested too deeply", rule="SIO-DEC-19") from None
        return packet

    def reset(self) -> None:
        """Forget a packet begun (SIO-BIN-19)."""
        self._packet = None
        self._attachments = []
        self.missing = 0


def _fill_in(value: Any, attachments: list[bytes]) -> None:
    """Replace the placeholders inside a list or a dict, in place, since nobody else has it."""
    for key, item in enumerate(value) if isinstance(value, list) else value.items():
        if isinstance(item, dict):
            if item.get("_placeholder") is True:
                value[key] = _stands_for(item, attachments)
            else:
                _fill_in(item, attachments)
        elif isinstance(item, list):
            _fill_in(item, attachments)


def _stands_for(placeholder: dict[str, Any], attachments: list[bytes]) -> bytes:
    """The attachment of a placeholder. The order is theirs, not ours (SIO-BIN-11)."""
    number = placeholder.get("num")
    # True is an int to Python, and a negative index is one to a list.
    if type(number) is not int or not 0 <= number < len(attachments):
        raise DecodeError("a placeholder for an attachment that is not there", rule="SIO-BIN-13")
    return attachments[number]
