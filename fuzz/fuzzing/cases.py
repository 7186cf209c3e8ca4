"""The formats of test vectors: what an input is, what it decodes to, and which rules say so."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fuzzing import plain_engine, plain_socket
from fuzzing.plain import Refused
from sioproto import DecodeError, LimitError, RemoteProtocolError
from sioproto.engineio import FrameDecoder, Packet, decode_packet, decode_payload
from sioproto.engineio._packet import decode_packet_v3
from sioproto.engineio._payload_v3 import decode_binary_payload_v3, decode_payload_v3
from sioproto.socketio import MISSING, Decoder, MsgpackParser, StrictJson
from sioproto.socketio import Packet as SocketPacket

MAX_ATTACHMENTS = 10
MAX_PAYLOAD = 1000
"""Of WebTransport frames."""

VALID, INVALID, ACCEPTABLE = "valid", "invalid", "acceptable"

# What the documents leave open: an implementation that decides otherwise breaks no rule. By the
# rule that we refuse it by.
OPEN = {
    "EIO-PKT-06": "the reference reads whatever looks like base64",
    "SIO-BIN-12": "the reference sends and takes binary packets without attachments",
    "SIO-DEC-12": "the reference rounds ids that are too large",
    "SIO-VAL-07": "the reference takes an acknowledgement without a payload",
}


@dataclass(frozen=True)
class Case:
    """What there is to say of an input."""

    outcome: str
    rules: tuple[str, ...]
    reason: str
    accepted: bool
    value: Any = None
    """What it decodes to, in JSON; what was read before the error if it is refused."""

    def as_json(self, kind: Format, data: bytes) -> dict[str, Any]:
        """A vector without its id."""
        vector: dict[str, Any] = {"input": kind.told(data), "outcome": self.outcome}
        if self.outcome == ACCEPTABLE:
            vector["accepted"] = self.accepted
        vector |= {"rules": list(self.rules), "reason": self.reason}
        if self.accepted or self.value:
            vector["value"] = self.value
        return vector


@dataclass(frozen=True)
class Format:
    """A format of input, and how it is judged."""

    name: str
    describes: str
    target: str
    """The fuzz target that knows examples of it."""
    take: Callable[[bytes], bytes | None]
    """Take an input of this format out of one of the target; None if it is another."""
    told: Callable[[bytes], Any]
    """The input in JSON."""
    judge: Callable[[bytes], Case]
    plain: Callable[[bytes], Any]
    """Give it to a plain decoder. What is refused raises ``Refused``, or ends in a rule."""
    pieces: Sequence[bytes]
    """What is put into inputs to change them."""
    examples: Sequence[bytes] = ()
    readable: Callable[[bytes], bool] = field(default=lambda data: True)
    """Whether these bytes are such an input."""

    def plainly(self, data: bytes) -> bool:
        """Whether a plain decoder takes it."""
        try:
            result = self.plain(data)
        except Refused:
            return False
        return not (isinstance(result, tuple) and isinstance(result[1], str | Refused))


# Values in JSON


def frame_json(frame: str | bytes) -> dict[str, str]:
    """A message: text, or bytes in hexadecimal."""
    return {"text": frame} if isinstance(frame, str) else {"hex": frame.hex()}


def value_json(value: Any) -> Any:
    """A decoded value, where what JSON lacks is an object with a single key behind a dollar."""
    if isinstance(value, list):
        return [value_json(item) for item in value]
    if isinstance(value, dict):
        return {key: value_json(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return {"$hex": value.hex()}
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": repr(value)}
    return value


def packet_json(packet: Packet | None) -> Any:
    """A packet of Engine.IO; null if it is ignored."""
    return None if packet is None else {"type": int(packet.type), "data": frame_json(packet.data)}


def socket_json(packet: SocketPacket | None) -> Any:
    """A packet of Socket.IO; null if it is not complete."""
    if packet is None:
        return None
    told: dict[str, Any] = {"type": int(packet.type), "namespace": packet.namespace}
    if packet.id is not None:
        told["id"] = packet.id
    if packet.data is not MISSING:
        told["data"] = value_json(packet.data)
    return told


# Verdicts


def refused(error: RemoteProtocolError, before: Any, rules: tuple[str, ...] = ()) -> Case:
    """A case that we refuse."""
    reason, open = error.message, OPEN.get(error.rule)
    if reason.startswith("invalid JSON"):
        reason = "invalid JSON"  # the rest is in the words of one implementation
    if error.rule == "SIO-DEC-17" and "range" in reason:
        open = "the reference reads it as infinite"
    if error.rule == "SIO-DEC-16" and "blank" in reason:
        open = "the reference reads a blank as an id of 0"
    if open is not None:
        return Case(ACCEPTABLE, (error.rule, *rules), f"{reason}: {open}", False, before)
    return Case(INVALID, (error.rule, *rules), reason, False, before)


def accepted(value: Any, rules: Sequence[str], reason: str, open: str = "") -> Case:
    """A case that we take."""
    outcome = ACCEPTABLE if open else VALID
    return Case(outcome, tuple(dict.fromkeys(rules)), open or reason, True, value)


# Engine.IO


def _plain_base64(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", text) is not None and len(text) % 4 == 0


def _packet_rules(frame: str | bytes, revision: int) -> tuple[list[str], str]:
    """The rules by which a packet is taken, and why others need not take it."""
    if isinstance(frame, bytes):
        return (["EIO-PKT-04"], "") if revision == 4 else (["EIO-PKT-05"], "")
    if frame.startswith("b"):
        rule, content = ("EIO-PKT-06", frame[1:]) if revision == 4 else ("EIO-PKT-07", frame[2:])
        if _plain_base64(content):
            return [rule], ""
        return [rule, "EIO-PKT-09"], "base64 of another alphabet or without padding"
    return (["EIO-PKT-01", "EIO-PKT-02"] if len(frame) == 1 else ["EIO-PKT-01"]), ""


def _frame(data: bytes) -> str | bytes:
    """The first byte tells text from binary."""
    return data[1:].decode() if data[:1] == b"t" else data[1:]


def _judge_packet(data: bytes, revision: int) -> Case:
    frame = _frame(data)
    try:
        packet = (decode_packet if revision == 4 else decode_packet_v3)(frame)
    except DecodeError as error:
        return refused(error, None)
    if packet is None:
        return accepted(None, ["EIO-PKT-05b"], "binary without a type is ignored")
    rules, open = _packet_rules(frame, revision)
    return accepted(packet_json(packet), rules, "a packet", open)


def _packet_of(revision: int) -> Callable[[bytes], bytes | None]:
    def take(data: bytes) -> bytes | None:
        kind = data[0] if data else 0
        if (3 if kind & 2 else 4) != revision:
            return None
        return (b"b" if kind & 1 else b"t") + data[1:]

    return take


def _is_frame(data: bytes) -> bool:
    return data[:1] == b"b" or (data[:1] == b"t" and _is_utf8(data[1:]))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _payload_case(
    packets: Any, body: bytes, rules: Sequence[str], open: Callable[[list[Packet]], str]
) -> Case:
    taken: list[Packet] = []
    try:
        for packet in packets:
            taken.append(packet)  # noqa: PERF402 # those before an error count
    except DecodeError as error:
        return refused(error, list(map(packet_json, taken)))
    if not _is_utf8(body) and "EIO-P3-12" not in rules:
        rules = [*rules, "EIO-PKT-11"]
    return accepted(list(map(packet_json, taken)), rules, "a payload", open(taken))


def _judge_payload_v4(body: bytes) -> Case:
    texts = body.decode(errors="replace").split("\x1e")
    rules = ["EIO-P4-01"]
    if any(text.startswith("b") for text in texts):
        rules.append("EIO-P4-02")
    loose = any(text[:1] == "b" and not _plain_base64(text[1:]) for text in texts)
    return _payload_case(
        decode_payload(body),
        body,
        [*rules, *["EIO-PKT-09"] * loose],
        lambda packets: "base64 of another alphabet or without padding" if loose else "",
    )


def _judge_payload_v3(body: bytes) -> Case:
    text = body.decode(errors="replace")
    rules = ["EIO-P3-01"]
    if not text.isascii():
        rules.append("EIO-P3-02")
    if re.search(r"(?:\A|\D)0+:", text):
        rules.append("EIO-P3-04")
    if ":b" in text:
        rules.append("EIO-P3-03")
    open = ""
    if re.search(r"(?:\A|\D)0\d+:", text):
        rules.append("EIO-P3-06")
        open = "a length with a zero in front"
    elif ":b" in text:
        open = _loose_base64(re.findall(r":b.?([^:]*?)(?:[0-9]+:|\Z)", text))
    return _payload_case(decode_payload_v3(body), body, rules, lambda packets: open)


def _loose_base64(parts: list[str]) -> str:
    loose = any(not _plain_base64(part) for part in parts)
    return "base64 of another alphabet or without padding" if loose else ""


def _judge_binary_payload_v3(body: bytes) -> Case:
    rules = ["EIO-P3-07"]
    if body[:1] == b"\0" or b"\0" in body:
        rules.append("EIO-P3-09")
    open = ""
    if not body:
        rules = ["EIO-P3-12"]
        open = "nothing at all is no packet"
    elif re.search(rb"[\x00\x01]\x00[\x00-\x09]+\xff", body):
        rules.append("EIO-P3-06")
        open = "a length with a zero in front"
    elif b"b" in body:
        open = "text in a binary payload that may be base64"
    case = _payload_case(decode_binary_payload_v3(body), b"", rules, lambda packets: open)
    if case.rules[0] == "EIO-P3-12" and not case.accepted:
        return Case(
            ACCEPTABLE,
            case.rules,
            f"{case.reason}: the reference reads it loosely",
            False,
            case.value,
        )
    return case


def _judge_frames(stream: bytes) -> Case:
    decoder = FrameDecoder(MAX_PAYLOAD)
    decoder.receive(stream)
    frames: list[Any] = []
    rules = ["EIO-WT-01"]
    try:
        while (frame := decoder.next_frame()) is not None:
            frames.append(frame_json(frame))
    except (DecodeError, LimitError) as error:
        return refused(error, {"frames": frames})
    if re.search(rb"[\x7e\x7f\xfe\xff]\x00", stream):
        rules.append("EIO-WT-02")
    value = {"frames": frames, "waiting": len(decoder._data)}
    return accepted(value, rules, "frames, and what waits for more")


# Socket.IO

_JSON = StrictJson()
_PARSER = MsgpackParser()


def _messages(data: bytes) -> list[str | bytes]:
    """Messages stand between bytes 0xff, binary behind a byte 1."""
    return [p[1:] if p[:1] == b"\x01" else p.decode() for p in data.split(b"\xff")]


def _are_messages(data: bytes) -> bool:
    return all(p[:1] == b"\x01" or _is_utf8(p) for p in data.split(b"\xff"))


def _socket_rules(text: str, packet: SocketPacket) -> tuple[list[str], str]:
    """The rules by which a packet is taken, and why others need not take it."""
    rules = ["SIO-PKT-04"]
    open = ""
    head = re.match(r"([0-6])(?:([0-9]+)-)?(/[^,]*,?)?([0-9]*)", text)
    assert head is not None
    kind, count, namespace, id = head.groups()
    if count is not None:
        rules.append("SIO-BIN-05")
        if count.startswith("0"):
            open = "a count with a zero in front"
    if namespace is not None:
        rules.append("SIO-DEC-08" if packet.namespace == "/" else "SIO-PKT-05")
        if not namespace.endswith(","):
            rules.append("SIO-DEC-06")
        elif re.search(r"[^ -~]", namespace):
            rules.append("SIO-DEC-10")
    if id:
        rules.append("SIO-DEC-11" if id.startswith("0") and id != "0" else "SIO-PKT-06")
        if kind in "014":
            rules.append("SIO-DEC-14")
            open = open or "an id where none has a meaning"
    payload = text[head.end() :]
    if payload:
        if isinstance(packet.data, list) and packet.data and not isinstance(packet.data[0], str):
            rules.append("SIO-VAL-05" if kind in "25" else "SIO-VAL-10")
        if not payload.isascii() or "\\" in payload:
            rules.append("SIO-PKT-08")
        if re.search(r"\\u[dD][89a-fA-F]", payload):
            open = open or "an escaped surrogate, which may stand alone"
        if re.search(r"[0-9]{16}", payload) or re.search(r"[0-9][eE.]", payload):
            open = open or "a number whose precision is not told"
        if payload.count('":') > 1:
            open = open or _repeated_keys(payload)
        if '"_placeholder"' in payload and kind in "23":
            rules.append("SIO-BIN-08")
    return rules, open


def _repeated_keys(payload: str) -> str:
    keys = re.findall(r'"((?:[^"\\]|\\.)*)"\s*:', payload)
    return "" if len(keys) == len(set(keys)) else "a key that is repeated, perhaps in one object"


def _judge_messages(data: bytes) -> Case:
    decoder = Decoder(_JSON, max_attachments=MAX_ATTACHMENTS)
    results: list[Any] = []
    rules: list[str] = []
    open = ""
    text = ""
    for message in _messages(data):
        if isinstance(message, str):
            text = message
        try:
            packet = decoder.feed(message)
        except (DecodeError, LimitError) as error:
            return refused(error, results, ("SIO-BIN-14",) if error.rule == "SIO-BIN-13" else ())
        results.append(socket_json(packet))
        if packet is not None:
            more, why = _socket_rules(text, packet)
            rules += more
            open = open or why
        if isinstance(message, bytes):
            rules.append("SIO-BIN-09" if message else "SIO-BIN-07")
            announced = re.match(r"[56]0*([0-9]+)-", text)
            told = re.findall(r'"num"\s*:\s*([0-9]+)', text)
            if announced and sorted(told) != [str(n) for n in range(int(announced[1]))]:
                rules.append("SIO-BIN-11")
    if decoder.missing:
        rules.append("SIO-BIN-09")
    return accepted(results, rules, "packets; null where one is not complete", open)


def _feed_plainly(data: bytes) -> None:
    stream = plain_socket.Stream(MAX_ATTACHMENTS)
    for message in _messages(data):
        stream.feed(message)


def _judge_msgpack(data: bytes) -> Case:
    try:
        packet = _PARSER.decoder(max_attachments=MAX_ATTACHMENTS).feed(data)
    except (DecodeError, LimitError) as error:
        reason = "no MessagePack" if error.rule == "SIO-MSGP-02" else error.message
        return Case(INVALID, (error.rule,), reason, False)
    assert packet is not None
    open = ""
    told = str(value_json(packet.data if packet.data is not MISSING else None))
    rules = ["SIO-MSGP-01"]
    if "$time" in told or "$number" in told or "$hex" in told:
        rules.append("SIO-MSGP-06")
    if b"\xd6\xff" in data or b"\xd7\xff" in data or b"\xff" in data:
        open = "it may hold a timestamp of MessagePack itself, which the reference does not know"
    return accepted(socket_json(packet), rules, "a packet", open)


# The formats

# ruff: noqa: E501 # tables of bytes

_DIGITS = [b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"9", b"10", b"007"]
_ODD = [
    b" ",
    "é".encode(),
    "€".encode(),
    "😀".encode(),
    "٣".encode(),
    b"\x00",
    b"\x7f",
    b"\n",
]
_BASE64 = [b"b", b"=", b"A", b"AQ", b"-", b"_", b"+", b"/", b"b4", b"!"]
_JSON_PIECES = [
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b'"',
        b":",
        b",",
        b"\\",
        b"null",
        b"true",
        b"false",
        b"-",
        b".",
        b"e1",
        b"E+",
    ),
    *(
        b"NaN",
        b"1e400",
        b"\\u00e9",
        b"\\ud83d\\ude00",
        b"\\n",
        b'"a"',
        b'"connect"',
        b"[]",
        b"{}",
        b"-0",
        b"1.5",
    ),
]
_PLACEHOLDER = b'{"_placeholder":true,"num":'

FORMATS = (
    Format(
        "engineio-packet-4",
        "One WebSocket message, text or bytes, in revision 4 of Engine.IO.",
        "engine_packet",
        _packet_of(4),
        lambda data: frame_json(_frame(data)),
        lambda data: _judge_packet(data, 4),
        lambda data: [plain_engine.packet_v4(_frame(data))],
        [*_DIGITS, *_ODD, *_BASE64],
        readable=_is_frame,
    ),
    Format(
        "engineio-packet-3",
        "One WebSocket message, text or bytes, in revision 3 of Engine.IO. A null value: ignored.",
        "engine_packet",
        _packet_of(3),
        lambda data: frame_json(_frame(data)),
        lambda data: _judge_packet(data, 3),
        lambda data: [plain_engine.packet_v3(_frame(data))],
        [*_DIGITS, *_ODD, *_BASE64, b"\x04", b"\x02", b"\x07"],
        readable=_is_frame,
    ),
    Format(
        "engineio-payload-4",
        "The body of a polling request, in revision 4 of Engine.IO. If it is refused, the value is"
        " what was read before.",
        "payload_v4",
        lambda data: data,
        lambda data: {"hex": data.hex()},
        _judge_payload_v4,
        plain_engine.payload_v4,
        [*_DIGITS, *_ODD, *_BASE64, b"\x1e", b"\x1e\x1e", b"\xff", b"\xc0\x80", b"\xed\xa0\x80"],
    ),
    Format(
        "engineio-payload-3",
        "The body of a polling request of text, in revision 3 of Engine.IO. If it is refused, the"
        " value is what was read before.",
        "payload_v3",
        lambda data: None if data[:1] == b"\x01" else data[1:],
        lambda data: {"hex": data.hex()},
        _judge_payload_v3,
        plain_engine.payload_v3,
        [*_DIGITS, *_ODD, *_BASE64, b":", b"2:4a", "3:4😀".encode(), b"\xff", b"0:", b"\xc0\x80"],
    ),
    Format(
        "engineio-binary-payload-3",
        "The body of a polling request of type application/octet-stream, in revision 3 of Engine.IO."
        " If it is refused, the value is what was read before.",
        "payload_v3",
        lambda data: data[1:] if data[:1] == b"\x01" else None,
        lambda data: {"hex": data.hex()},
        _judge_binary_payload_v3,
        plain_engine.binary_payload_v3,
        [b"\x00", b"\x01", b"\x02", b"\x04", b"\x05", b"\x09", b"\xff", b"4", b"b4", "€".encode(),
         b"\xed\xa0\x80", b"\xc0\x80", b"\x00\x02\xff4a", b"\x01\x02\xff\x04\x01", b"\x0a"],
    ),
    Format(
        "engineio-webtransport",
        f"The bytes of a WebTransport stream, where a frame may hold {MAX_PAYLOAD} bytes.",
        "framing",
        lambda data: data[2:],
        lambda data: {"hex": data.hex()},
        _judge_frames,
        lambda data: plain_engine.frames(data, MAX_PAYLOAD),
        [b"\x00", b"\x80", b"\x01", b"\x02", b"\x7e", b"\x7f", b"\xfe", b"\xff", b"4", b"4a",
         b"\x00\x02", b"\x00" * 7 + b"\x01", b"\x7e\x03\xe8", b"\x7e\x03\xe9", b"x" * 40, "€".encode()],
    ),
    Format(
        "socketio-messages",
        "The messages of one connection, text or bytes, without the packet type of Engine.IO, where"
        f" a packet may have {MAX_ATTACHMENTS} attachments. The value is what each of them yields.",
        "socket_decoder",
        lambda data: data[1:],
        lambda data: list(map(frame_json, _messages(data))),
        _judge_messages,
        _feed_plainly,
        [*_DIGITS, *_ODD, *_JSON_PIECES, b"/", b"/a,", b"51-", b"61-", b"52-", b"-", b"\xff\x01x",
         b"\xff\x01", b"\xff", _PLACEHOLDER + b"0}", _PLACEHOLDER + b"1}", _PLACEHOLDER],
        readable=_are_messages,
    ),
    Format(
        "socketio-msgpack",
        "One binary message that is a packet in MessagePack.",
        "msgpack_packet",
        lambda data: data,
        lambda data: {"hex": data.hex()},
        _judge_msgpack,
        plain_socket.msgpack_packet,
        [b"\xc0", b"\xc2", b"\xc3", b"\x00", b"\x01", b"\xd4\x00\x00", b"\xa1a", b"\x90", b"\x80", b"\x91",
         b"\x81", b"\xc4\x01x", b"\xca\x00\x00\x00\x00", b"\xd7\x00" + b"\x00" * 8, b"\xcf", b"\xdc", b"\x05"],
    ),
)  # fmt: skip
