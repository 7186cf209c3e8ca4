"""What the targets for payloads have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fuzzing.plain import same
from fuzzing.plain_engine import Payload
from sioproto import DecodeError
from sioproto.engineio import Message, Packet


@dataclass(frozen=True)
class Taken:
    """What came out of a payload before it ended, and the error by which it did, if it did."""

    packets: list[Packet]
    error: DecodeError | None


def take(payload: Iterator[Packet]) -> Taken:
    """Read a payload until it ends."""
    packets: list[Packet] = []
    try:
        for packet in payload:
            packets.append(packet)  # noqa: PERF402 # those before an error count
    except DecodeError as error:
        return Taken(packets, error)
    return Taken(packets, None)


def judge_payload(taken: Taken, plain: Payload) -> None:
    """Raise ``AssertionError`` if a plain decoder reads something else."""
    packets, rule = plain
    found = [(int(packet.type), packet.data) for packet in taken.packets]
    assert same(found, packets), f"{found!r}, not {packets!r}"
    assert (taken.error and taken.error.rule) == rule, f"{taken.error}, not {rule}"


def messages_of(packets: Iterable[Packet]) -> list[Message]:
    """The packets as they are sent."""
    return [
        Message(packet.data if isinstance(packet.data, bytes) else f"{packet.type:d}{packet.data}")
        for packet in packets
    ]
