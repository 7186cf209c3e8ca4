"""Strategies for fuzzing: packets of every kind on the wire, valid and nearly valid.

They need hypothesis (extra ``testing``) and nothing else, not even the rest of this library: what
they yield is the text and the bytes that a peer would read, so they fit any implementation.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import strategies as st

__all__ = (
    "broken_engine_frames",
    "broken_payloads",
    "broken_socket_packets",
    "engine_frames",
    "event_names",
    "handshakes",
    "json_values",
    "namespaces",
    "open_packets",
    "payloads",
    "socket_acks",
    "socket_connect_errors",
    "socket_connects",
    "socket_disconnects",
    "socket_events",
    "socket_packets",
)

SEPARATOR = "\x1e"
RESERVED = (
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
)
Frame = str | bytes

_text = st.text(st.characters(codec="utf-8"), max_size=20)
_ids = st.none() | st.integers(0, 2**53 - 1)


def json_values() -> st.SearchStrategy[Any]:
    """Values that JSON can express."""
    leaves: st.SearchStrategy[Any] = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53), 2**53),
        st.floats(allow_nan=False, allow_infinity=False),
        _text,
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
        max_leaves=6,
    )


def namespaces() -> st.SearchStrategy[str]:
    """Names of namespaces: the main one half of the time."""
    return st.just("/") | _text.map(lambda text: "/" + text.replace(",", ""))


def event_names() -> st.SearchStrategy[str]:
    """Names that an event may have."""
    return _text.filter(lambda name: name not in RESERVED)


# Engine.IO


def open_packets() -> st.SearchStrategy[str]:
    """Open packets, as a server sends them."""
    return handshakes().map(lambda fields: "0" + _dumps(fields))


def handshakes() -> st.SearchStrategy[dict[str, Any]]:
    """What an open packet announces."""
    return st.fixed_dictionaries(
        {
            "sid": st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=20),
            "upgrades": st.sampled_from(([], ["websocket"])),
            "pingInterval": st.integers(1, 100_000),
            "pingTimeout": st.integers(1, 100_000),
            "maxPayload": st.integers(1, 10_000_000),
        }
    )


def engine_frames() -> st.SearchStrategy[Frame]:
    """WebSocket messages that are packets of revision 4, of every type. Binary is a message."""
    controls = st.sampled_from(("1", "2", "3", "2probe", "3probe", "5", "6"))
    return st.one_of(open_packets(), controls, _text.map(lambda text: "4" + text), st.binary())


def payloads() -> st.SearchStrategy[bytes]:
    """Bodies of polling: one packet or more."""
    packets = engine_frames().map(_polled)
    return st.lists(packets, min_size=1, max_size=4).map(
        lambda packets: SEPARATOR.join(packets).encode()
    )


def broken_engine_frames() -> st.SearchStrategy[str]:
    """Texts that are nearly packets of revision 4, but are none."""
    unknown = st.characters(codec="utf-8", exclude_characters="0123456b")
    return st.one_of(
        st.just(""),
        st.builds("{}{}".format, unknown, _text),
        # One character of base64 cannot stand alone, and these are none.
        st.sampled_from(("bA", "b=", "b====", "bAA=A", "b!!!!", "bAAé=", "b AAA", "bAAAA\n")),
    )


def broken_payloads() -> st.SearchStrategy[bytes]:
    """Bodies of polling with a broken packet behind good ones, or with a stray separator."""
    good = st.lists(engine_frames().map(_polled), max_size=3)
    return st.builds(
        lambda before, bad: SEPARATOR.join([*before, bad]).encode(), good, broken_engine_frames()
    )


# Socket.IO


def socket_connects() -> st.SearchStrategy[list[Frame]]:
    """CONNECT, with and without a payload."""
    payload = st.none() | st.dictionaries(_text, json_values(), max_size=3)
    return st.builds(
        lambda name, auth: [_head("0", name) + ("" if auth is None else _dumps(auth))],
        namespaces(),
        payload,
    )


def socket_disconnects() -> st.SearchStrategy[list[Frame]]:
    """DISCONNECT."""
    return namespaces().map(lambda name: [_head("1", name)])


def socket_events() -> st.SearchStrategy[list[Frame]]:
    """EVENT and BINARY_EVENT: the text, then its attachments."""
    args = st.lists(json_values() | st.binary(max_size=10), max_size=3)
    return st.builds(_with_attachments, st.just("2"), namespaces(), _ids, _named(args))


def socket_acks() -> st.SearchStrategy[list[Frame]]:
    """ACK and BINARY_ACK: the text, then its attachments."""
    args = st.lists(json_values() | st.binary(max_size=10), max_size=3)
    return st.builds(_with_attachments, st.just("3"), namespaces(), st.integers(0, 2**53 - 1), args)


def socket_connect_errors() -> st.SearchStrategy[list[Frame]]:
    """CONNECT_ERROR."""
    error = st.fixed_dictionaries({"message": _text}, optional={"data": json_values()})
    return st.builds(lambda name, data: [_head("4", name) + _dumps(data)], namespaces(), error)


def socket_packets() -> st.SearchStrategy[list[Frame]]:
    """Packets of every type: each is its text, then its attachments."""
    return st.one_of(
        socket_connects(),
        socket_disconnects(),
        socket_events(),
        socket_acks(),
        socket_connect_errors(),
    )


def broken_socket_packets() -> st.SearchStrategy[str]:
    """Texts that are nearly packets of Socket.IO, but are none."""
    others = st.characters(codec="utf-8", exclude_characters="0123456")
    not_arrays = json_values().filter(lambda value: not isinstance(value, list)).map(_dumps)
    not_objects = json_values().filter(lambda value: not isinstance(value, dict)).map(_dumps)
    not_names = json_values().filter(
        lambda value: isinstance(value, bool) or not isinstance(value, str | int | float)
    )
    return st.one_of(
        st.just(""),
        st.builds("{}{}".format, others, _text),
        not_arrays.filter(lambda text: not text[0].isdigit()).map("2{}".format),
        not_arrays.filter(lambda text: not text[0].isdigit()).map("31{}".format),
        not_objects.filter(lambda text: not text[0].isdigit()).map("0{}".format),
        json_values().map(_dumps).filter(lambda text: not text[0].isdigit()).map("1{}".format),
        not_names.map(lambda name: "2" + _dumps([name])),
        st.sampled_from(RESERVED).map(lambda name: "2" + _dumps([name])),
        st.sampled_from(('2["a"', "2[]", "2", "21", '2 ["a"]', '2/a["b"]', "5", '5["a"]', '51["a"]',
                         '50-["a"]', '5-["a"]', '5x-["a"]', '299999999999999999["a"]', "2[NaN]",
                         '51-["a",{"_placeholder":true,"num":1}]')),
    )  # fmt: skip


# Inside


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _polled(frame: Frame) -> str:
    if isinstance(frame, bytes):
        return "b" + base64.b64encode(frame).decode()
    return frame.replace(SEPARATOR, "")


def _head(kind: str, namespace: str) -> str:
    return kind if namespace == "/" else f"{kind}{namespace},"


@st.composite
def _named(draw: st.DrawFn, args: st.SearchStrategy[list[Any]]) -> list[Any]:
    return [draw(event_names()), *draw(args)]


def _with_attachments(kind: str, namespace: str, id: int | None, data: list[Any]) -> list[Frame]:
    attachments = [value for value in data if isinstance(value, bytes)]
    numbers = iter(range(len(attachments)))
    told = [
        {"_placeholder": True, "num": next(numbers)} if isinstance(value, bytes) else value
        for value in data
    ]
    if attachments:
        kind = f"{int(kind) + 3}{len(attachments)}-"
    number = "" if id is None else str(id)
    return [_head(kind, namespace) + number + _dumps(told), *attachments]
