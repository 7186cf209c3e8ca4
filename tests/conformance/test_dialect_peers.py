"""The peers of other dialects, each against our own server: MessagePack and recovery."""

from __future__ import annotations

import pytest

from sioproto_conformance._dialects import lacking_dialects
from sioproto_conformance._probe import survey
from sioproto_conformance._target import Paths, Target, built_in_manifest, running
from sioproto_conformance.peers.msgpack import Extension, decode, encode, packet_bytes
from sioproto_conformance.peers.wire import Unexpected


def test_a_packet_in_messagepack_is_read_back() -> None:
    packet = decode(packet_bytes(3, [b"\x01", None], nsp="/a", id=7, more=1))
    assert (packet.type, packet.nsp, packet.id) == (3, "/a", 7)
    assert packet.data == [b"\x01", None]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xc1",
        packet_bytes(2, ["x"])[:-1],
        encode([2]),
        packet_bytes(5, ["x"]),
        packet_bytes(True, ["x"]),
        packet_bytes(2, ["x"], nsp=1),
        packet_bytes(2, ["x"], id="1"),
        encode(Extension(5, b"x")),
    ],
)
def test_what_is_no_packet_in_messagepack_is_unexpected(message: bytes) -> None:
    with pytest.raises(Unexpected):
        decode(message)


async def test_the_built_in_target_speaks_every_dialect() -> None:
    with running(built_in_manifest()) as target:
        found = await survey(Target(target.manifest, target.url, target.slow_url))
    for site in (found.fast, found.slow):
        assert lacking_dialects(site, Paths()) == {}
    assert found.lacking == {}
