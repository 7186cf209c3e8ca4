#!/usr/bin/env python3
"""The text of a Socket.IO packet is taken or refused, by the same rule, exactly as a plain
reading of the rules says, with the same namespace, id and payload, and what was taken is the same
after encoding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzzing import plain_socket
from fuzzing.bounds import Budget
from fuzzing.packets import EXAMPLES, WORST_TEXTS, parts, plain_form
from fuzzing.plain import bytes_of, depth_of, has_surrogates, text_of
from fuzzing.target import Target
from fuzzing.verdict import agree, outcome, plainly
from sioproto import LocalProtocolError
from sioproto._json import scanner_of
from sioproto.socketio import Packet, StrictJson, encode_packet
from sioproto.socketio._packet import decode_header, decode_usual

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

JSON = StrictJson()
SCAN = scanner_of(JSON)
MAX_ATTACHMENTS = 10


def decode(data: bytes) -> tuple[Packet, int] | Exception:
    return outcome(lambda: _decode(text_of(data)))


def _decode(text: str) -> tuple[Packet, int]:
    """As a connection's decoder does it."""
    usual = decode_usual(text, SCAN, MAX_ATTACHMENTS)
    return usual or decode_header(text, JSON, MAX_ATTACHMENTS)


def judge(data: bytes) -> None:
    text = text_of(data)
    found = decode(data)
    plain = plainly(lambda: plain_socket.header(text, MAX_ATTACHMENTS))
    depth = depth_of(text)
    taken = (parts(plain_form(found[0])), found[1]) if isinstance(found, tuple) else found
    wanted = (parts(plain[0]), plain[1]) if isinstance(plain, tuple) else plain
    if not agree(taken, wanted, depth=depth) or not isinstance(found, tuple):
        return
    packet = found[0]
    try:
        again, attachments = encode_packet(packet, JSON)
    except LocalProtocolError:
        assert depth >= 300, "what was taken can be sent"
        return
    assert attachments == []
    if has_surrogates(text):
        return  # which no peer can send, and which two escapes may join to something else
    again.encode()  # in UTF-8, on the wire
    back = outcome(lambda: _decode(again))
    if not isinstance(back, tuple):
        assert depth >= 300, f"{again!r}: {back}"
        return
    agree((parts(plain_form(back[0])), back[1]), (parts(plain_form(packet)), 0))


def seeds() -> list[bytes]:
    return [bytes_of(text) for text in EXAMPLES]


def examples() -> SearchStrategy[bytes]:
    from hypothesis import strategies as st

    from sioproto.testing import strategies

    texts = strategies.socket_packets().map(lambda frames: str(frames[0]))
    texts |= strategies.broken_socket_packets()

    def changed(text: str, at: int, cut: int, put: str) -> str:
        at %= len(text) + 1
        return text[:at] + put + text[at + cut :]

    put = st.text('0123456789-/,[]{}":.eE+ \\utrNfé٣_\t\x00', max_size=3)
    near = st.builds(
        changed, texts | st.sampled_from(EXAMPLES), st.integers(0, 60), st.integers(0, 2), put
    )
    return (texts | near).map(bytes_of)


TARGET = Target(
    file=__file__,
    decode=decode,
    judge=judge,
    budget=Budget(operations=0.5, memory=120),
    seeds=seeds,
    worst=WORST_TEXTS,
    examples=examples,
)

if __name__ == "__main__":
    TARGET.main()
