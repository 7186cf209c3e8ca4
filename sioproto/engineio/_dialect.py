"""The two living revisions of Engine.IO. All that differs between them is here.

A session is given its dialect when it is opened, and keeps it: no later request changes how it is
spoken to (EIO-QP-12b). A client speaks the dialect that its configuration names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sioproto.engineio._config import ServerConfig
from sioproto.engineio._jsonp import callback_of, decode_post, encode_script
from sioproto.engineio._message import Message, WsFrame, utf8_length
from sioproto.engineio._packet import Packet, decode_packet, decode_packet_v3
from sioproto.engineio._payload import SEPARATOR, decode_payload, encode_payload
from sioproto.engineio._payload_v3 import (
    decode_binary_payload_v3,
    decode_payload_v3,
    encode_binary_payload_v3,
    encode_payload_v3,
)
from sioproto.engineio._request import BAD_REQUEST, UNSUPPORTED_REVISION, Refusal

TEXT_TYPE = "text/plain; charset=UTF-8"
BINARY_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a session has to know of the revision that it speaks."""

    revision: int
    era: str
    """What speaks it, for people."""
    server_pings: bool
    """Whether the server asks for signs of life, rather than the client giving them unasked."""
    bare_binary: bool
    """Whether a binary WebSocket message is the content of a message, without a type."""
    decode_frame: Callable[[str | bytes], Packet | None]
    """Decode a WebSocket message. None if it is to be ignored."""
    frames: Callable[[Iterable[Message], bool], list[WsFrame]]
    """Make WebSocket messages. The flag: whether the peer cannot take binary."""
    encode_payload: Callable[[list[Message], bool], tuple[str, bytes]]
    """Make a content type and a body for a poll. The flag is the same."""
    decode_payload: Callable[[bytes, str | None], Iterator[Packet]]
    """Decode a body. The text: its content type."""
    weigh: Callable[[Message, bool], int]
    """Most bytes that a packet takes in a payload. The flag: whether it is the first there."""
    opens: Callable[[bytes], bool]
    """Whether a payload begins like that of a handshake: with an open packet."""


def _frames(messages: Iterable[Message], base64: bool) -> list[WsFrame]:
    if base64:
        return [message.text_frame for message in messages]
    return [message.frame for message in messages]


def _encode(messages: list[Message], base64: bool) -> tuple[str, bytes]:
    return TEXT_TYPE, encode_payload(messages)


def _decode(body: bytes, content_type: str | None) -> Iterator[Packet]:
    return decode_payload(body)


def _weigh(message: Message, first: bool) -> int:
    return utf8_length(message.text) + (0 if first else len(SEPARATOR))


def _opens(body: bytes) -> bool:
    return body.startswith(b"0")


REVISION_4 = Dialect(
    revision=4,
    era="Socket.IO 3 or later",
    server_pings=True,
    bare_binary=True,
    decode_frame=decode_packet,
    frames=_frames,
    encode_payload=_encode,
    decode_payload=_decode,
    weigh=_weigh,
    opens=_opens,
)


def _frames_v3(messages: Iterable[Message], base64: bool) -> list[WsFrame]:
    if base64:
        return [message.text_frame_v3 for message in messages]
    return [message.frame_v3 for message in messages]


def _encode_v3(messages: list[Message], base64: bool) -> tuple[str, bytes]:
    if base64 or not any(isinstance(message.packet, bytes) for message in messages):
        return TEXT_TYPE, encode_payload_v3(messages)
    return BINARY_TYPE, encode_binary_payload_v3(messages)  # only where needed (EIO-P3-10)


def _decode_v3(body: bytes, content_type: str | None) -> Iterator[Packet]:
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type == BINARY_TYPE:  # the label decides, not the content (EIO-P3-11)
        return decode_binary_payload_v3(body)
    return decode_payload_v3(body)


def _weigh_v3(message: Message, first: bool) -> int:
    length = utf8_length(message.text_v3)  # no form has more, nor a longer length in front of it
    return len(str(length)) + 2 + length


_OPEN_V3 = re.compile(rb"[0-9]{1,10}:0|[\x00\x01][\x00-\x09]{1,10}\xff0", re.DOTALL)


def _opens_v3(body: bytes) -> bool:
    return _OPEN_V3.match(body) is not None


REVISION_3 = Dialect(
    revision=3,
    era="Socket.IO 2 or older",
    server_pings=False,
    bare_binary=False,
    decode_frame=decode_packet_v3,
    frames=_frames_v3,
    encode_payload=_encode_v3,
    decode_payload=_decode_v3,
    weigh=_weigh_v3,
    opens=_opens_v3,
)


DIALECTS = {dialect.revision: dialect for dialect in (REVISION_3, REVISION_4)}


def _in_jsonp(dialect: Dialect, callback: str) -> Dialect:
    """The same dialect, with polling in the dress of JSONP."""

    def encode(messages: list[Message], base64: bool) -> tuple[str, bytes]:
        content_type, payload = dialect.encode_payload(messages, True)  # for JSON is text
        return content_type, encode_script(callback, payload)

    def decode(body: bytes, content_type: str | None) -> Iterator[Packet]:
        data = decode_post(body)
        return iter(()) if data is None else dialect.decode_payload(data, None)

    return replace(dialect, encode_payload=encode, decode_payload=decode)


# Which revision


def revision_of(query: Mapping[str, str]) -> int | None:
    """The revision that a request asks for. None if it names none, or none that there is."""
    return _REVISIONS.get(query.get("EIO", ""))


_REVISIONS = {str(revision): revision for revision in DIALECTS}


def check_revision(query: Mapping[str, str], dialect: Dialect) -> Refusal | None:
    """Whether a later request asks for the revision of its session (EIO-QP-12)."""
    if revision_of(query) == dialect.revision:
        return None
    return _wrong_revision(BAD_REQUEST, query, f"this session speaks revision {dialect.revision}")


def check_handshake(query: Mapping[str, str], config: ServerConfig) -> Refusal | None:
    """Whether a new session asks for something that is spoken here."""
    revision = revision_of(query)
    if revision != 4 and (revision is None or not config.allow_eio3):
        spoken = "revisions 3 and 4" if config.allow_eio3 else "revision 4"
        return _wrong_revision(UNSUPPORTED_REVISION, query, f"this server speaks {spoken}")
    if (callback := query.get("j")) is not None and query.get("transport") == "polling":
        if config.jsonp:
            return BAD_REQUEST if callback_of(callback) is None else None
        if revision == 3:  # in revision 4 any parameter is the application's
            return Refusal(BAD_REQUEST.code, f"{BAD_REQUEST.message}: JSONP is off")
    return None


def dialect_of(query: Mapping[str, str], config: ServerConfig) -> Dialect:
    """The dialect of a new session whose handshake has been checked."""
    dialect = REVISION_3 if revision_of(query) == 3 else REVISION_4
    callback = callback_of(query.get("j", ""))
    if config.jsonp and callback is not None and query.get("transport") == "polling":
        return _in_jsonp(dialect, callback)
    return dialect


def _wrong_revision(refusal: Refusal, query: Mapping[str, str], spoken: str) -> Refusal:
    """Say which revisions do not fit. Nothing of the query is repeated but a small number."""
    named = query.get("EIO")
    if named is None:
        asked = "none, for it has no EIO"
    elif named.isascii() and named.isdigit() and len(named) <= 3:
        asked = f"revision {named}"
    else:
        asked = "a revision that there is not"
    return Refusal(
        refusal.code, f"{refusal.message}: {spoken} of Engine.IO, the request asks for {asked}"
    )
