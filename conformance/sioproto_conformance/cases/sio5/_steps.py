"""Steps that many cases take."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

from sioproto_conformance._bench import Bench, Inconclusive
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import Packet
from sioproto_conformance.peers.sio import SocketPeer
from sioproto_conformance.peers.wire import Gone, NoAnswer, Unexpected
from sioproto_conformance.peers.ws import frame_bytes

NAMESPACES = {"main": "/", "custom": "/custom"}
"""The variants of a case that is asked in both namespaces of the contract."""

NOBODY = "/nobody"
"""A namespace that the contract does not have."""

_TEXT = 0x1
_SHOWN = 200
_BATCH = 10
_NOISE = ("1", "6")


async def refuses(
    t: Bench, bad: SocketPeer, control: SocketPeer, text: str, *attachments: bytes
) -> None:
    """Send a packet that has to close the connection, and nothing but that (SIO-DISC-07)."""
    mark = len(bad.engine.seen)
    await bad.send(text, *attachments)
    await t.expect_closed(bad, while_open=control)
    noise = (*_NOISE, bad.engine.framing.heard)
    answers = [seen.packet for seen in bad.engine.seen[mark:] if seen.packet not in noise]
    t.check(not answers, "no packet in answer", answers or None, rule="SIO-DISC-07")


async def echoes(t: Bench, peer: SocketPeer, *args: Any, rule: str | None = None) -> None:
    """Send ``message`` with these arguments and compare what comes back."""
    await peer.emit("message", *args)
    await expect_event(t, peer, "message-back", *args, rule=rule)


async def expect_event(
    t: Bench, peer: SocketPeer, name: str, *args: Any, rule: str | None = None
) -> None:
    """Compare the next packet with an event of the main namespace that asks for no answer."""
    with t.expecting(rule):
        packet = await peer.next()
    binary = bool(packet.attachments)
    same_kind = packet.type == (sio.BINARY_EVENT if binary else sio.EVENT)
    right = same_kind and packet.nsp == "/" and packet.id is None
    t.check(
        right and same(packet.data, [name, *args]),
        f"the event {shown([name, *args])}",
        packet,
        rule=rule,
    )


async def acknowledges(
    t: Bench, peer: SocketPeer, id: int, *args: Any, rule: str | None = None
) -> sio.Packet:
    """Send ``message-with-ack`` and compare its acknowledgement, which is returned."""
    await peer.emit("message-with-ack", *args, id=id)
    return await expect_ack(t, peer, id, *args, rule=rule)


async def expect_ack(
    t: Bench, peer: SocketPeer, id: int, *args: Any, rule: str | None = None
) -> sio.Packet:
    """Compare the next packet with an acknowledgement in the main namespace."""
    with t.expecting(rule):
        packet = await peer.next()
    kind = sio.BINARY_ACK if packet.attachments else sio.ACK
    right = packet.type == kind and packet.nsp == "/" and packet.id == id
    t.check(
        right and same(packet.data, list(args)),
        f"acknowledgement {id} of {shown(list(args))}",
        packet,
        rule=rule,
    )
    return packet


async def nobody_answers(peer: SocketPeer) -> list[sio.Packet]:
    """Ask for a namespace that is not there and return what came before the refusal.

    This bounds "nothing more" where no namespace is joined, or none that echoes.
    """
    await peer.send(f"0{NOBODY},")
    before: list[sio.Packet] = []
    while (packet := await peer.next()).nsp != NOBODY:
        before.append(packet)
    return before


async def outcome(peer: SocketPeer) -> str:
    """Say in a few words what the server made of the packet sent last.

    One of ``closed``, ``ignored``, ``silent``, or ``answered ...``. Needs the main namespace.
    """
    token = "what came of it"
    answers: list[str] = []
    try:
        await peer.emit("message", token)
        while (packet := await peer.next()).data != ["message-back", token]:
            answers.append(packet.raw[:60])
    except Gone:
        return f"answered {answers}, then closed" if answers else "closed"
    except Unexpected as error:
        return f"answered {error.actual[:120]}"
    except NoAnswer:
        return f"answered {answers}, then silent" if answers else "silent"
    return f"answered {answers}" if answers else "ignored"


async def is_ruled_to_close(t: Bench, bad: SocketPeer, control: SocketPeer, text: str) -> None:
    """Send a packet that the texts leave open, and tell what the server made of it.

    Nothing is waited for: the ruling is to close, but a server that does something else says so at
    once.
    """
    await bad.send(text)
    came = await outcome(bad)
    await require_control(t, control)
    t.check(came == "closed", "the connection closed", came)


async def require_control(t: Bench, control: SocketPeer) -> None:
    """End the case if the control session is gone: then a closed connection means nothing."""
    if (trouble := await control.alive()) is not None:
        t.inconclusive(f"the control session died too: {trouble}")


async def send_many(peer: SocketPeer, messages: Sequence[Packet]) -> None:
    """Send messages in a row, over polling a few in each POST.

    Whether a server takes any number of packets in one payload is asked by cases of Engine.IO.
    """
    for start in range(0, len(messages), _BATCH):
        await peer.engine.send(*messages[start : start + _BATCH])


async def send_at_once(peer: SocketPeer, *texts: str) -> None:
    """Send packets so that the server reads them together: in one POST, or in one segment."""
    if peer.engine.ws is None:
        await peer.engine.send(*("4" + text for text in texts))
    else:
        frames = (frame_bytes(_TEXT, f"4{text}".encode()) for text in texts)
        note = " ".join(f"4{text}" for text in texts)
        await peer.engine.ws.send_raw(b"".join(frames), note=f"in one segment: {note}")


def same_in_any_order(left: list[Any], right: list[Any]) -> bool:
    """Tell whether two lists hold the same JSON, each value as often."""
    return same(sorted(left, key=repr), sorted(right, key=repr))


def shown(value: object) -> str:
    """Return a value as a report shows it."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def placeholders(packet: sio.Packet) -> list[Any]:
    """Return the numbers of the placeholders in a packet as it was sent."""
    header, _ = sio.decode_header(packet.raw)
    numbers: list[Any] = []

    def walk(value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                walk(item)
        elif isinstance(value, dict):
            if value.get("_placeholder") is True:
                numbers.append(value.get("num"))
            else:
                walk(list(value.values()))

    walk(header.data)
    return numbers


def same(left: Any, right: Any) -> bool:
    """Tell whether two values are the same JSON, attachments included: ``True`` is not 1."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    numbers = (int, float)
    if isinstance(left, numbers) and isinstance(right, numbers):
        return isinstance(left, bool) == isinstance(right, bool) and left == right
    return type(left) is type(right) and bool(left == right)


async def expect_room_for_another(t: Bench, connecting: Awaitable[SocketPeer]) -> None:
    """Check that a new client can come, and is answered."""
    try:
        newcomer = await connecting
    except Inconclusive as failed:
        t.check(False, "a new client can connect", str(failed))
        if isinstance(failed.__cause__, NoAnswer):
            t.keeps_waiting()
    else:
        await t.expect_open(newcomer)
