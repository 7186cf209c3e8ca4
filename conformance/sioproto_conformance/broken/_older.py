"""Breaks of polling by scripts and forms, and of an upgrade in the order of the document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from sioproto.engineio import _dialect
from sioproto.engineio._dialect import Dialect
from sioproto.engineio._message import Message
from sioproto.engineio._packet import Packet
from sioproto.engineio._session import Session
from sioproto_conformance.broken import Original, broken


@broken(
    _dialect,
    "encode_script",
    rule="EIO-QP-09",
    case="eio3.jsonp.poll.same-function[other-number]",
)
def polls_answered_by_another_function(original: Original, callback: str, payload: bytes) -> Any:
    """Polls after the handshake are answered by a call of function 0, whatever it was there."""
    return original(callback if b'"upgrades"' in payload else "0", payload)


@broken(
    _dialect,
    "callback_of",
    rule="EIO-JP-01",
    case="eio3.jsonp.handshake.script[several-digits]",
)
def first_digit_only(original: Original, parameter: str) -> str | None:
    """Of the number of the function only the first digit is read."""
    digits: str | None = original(parameter)
    return digits and digits[0]


@broken(
    _dialect,
    "encode_script",
    rule="EIO-JP-02",
    case="eio3.jsonp.text.echoed[line-separators]",
)
def separators_not_escaped(original: Original, callback: str, payload: bytes) -> bytes:
    """The separators that JSON allows and old scripts do not are sent as they are."""
    return f"___eio[{callback}]({json.dumps(payload.decode(), ensure_ascii=False)});".encode()


@broken(
    _dialect,
    "decode_post",
    rule="EIO-JP-03",
    case="eio3.jsonp.form.read[escaped-newline]",
)
def newlines_stay_escaped(original: Original, body: bytes) -> bytes | None:
    r"""A backslash and n in a form stay a backslash and n."""
    values = parse_qs(body.decode(errors="replace"), keep_blank_values=True).get("d", [])
    return values[0].encode() if len(values) == 1 else None


@broken(
    _dialect,
    "_in_jsonp",
    rule="EIO-JP-05",
    case="eio3.jsonp.binary.in-base64[not-asked-for]",
)
def binary_lost_in_scripts(original: Original, dialect: Dialect, callback: str) -> Dialect:
    """Binary goes to a client that polls by scripts only if it asked for base64."""
    scripts: Dialect = original(dialect, callback)

    def encode(messages: list[Message], base64: bool) -> tuple[str, bytes]:
        if not base64:
            messages = [message for message in messages if isinstance(message.packet, str)]
        return scripts.encode_payload(messages, base64)

    def decode(body: bytes, content_type: str | None) -> Iterator[Packet]:
        return scripts.decode_payload(body, content_type)

    return replace(scripts, encode_payload=encode, decode_payload=decode)


@broken(
    Session,
    "candidate_opened",
    rule="EIO-UPC-02",
    case="eio4.upgrade.client-pauses.at-either-time[after-the-probe]",
    wide="Clients that poll until their probe is answered are all lost.",
)
def late_pause_punished(original: Original, self: Any, *args: Any) -> None:
    """A client that still polls when it opens its WebSocket has ended its session."""
    original(self, *args)
    if self.poll is not None:
        self._misuse("a poll beside a WebSocket", "EIO-UPC-02")
