"""How a connection ends that the server closes: here because of a packet that is none."""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.eio4._shared import news
from sioproto_conformance.cases.sio5._steps import require_control, send_at_once
from sioproto_conformance.peers.eio import EnginePeer, Packet
from sioproto_conformance.peers.http1 import Response
from sioproto_conformance.peers.sio import SocketPeer
from sioproto_conformance.peers.wire import Gone, Unexpected

_POLLS = 4


async def _joined_by_hand(t: Bench) -> EnginePeer:
    """Return a session by polling that has joined the main namespace and polls no more."""
    engine = await t.sio.engine("polling", poll=False)
    await engine.send("40")
    came: list[Packet] = []
    while len(came) < 2:
        came += news(await engine.poll())
    if not any(str(packet).startswith("40") for packet in came):
        t.inconclusive(f"joining failed: {came}")
    return engine


async def _poll_to_the_end(engine: EnginePeer) -> tuple[list[Packet], Response | None]:
    """Poll until the session is refused; return what came, and the refusal."""
    came: list[Packet] = []
    for _ in range(_POLLS):
        response = await engine.get()
        if response.status != 200:
            return came, response
        came += [packet for packet in engine.decode(response) if packet != "2"]
    return came, None


@case(
    "sio5.close.pending-poll.told",
    covers=["SIO-DISC-07", "EIO-CL-02"],
    needs=["app", "polling"],
    tags=["close"],
)
async def pending_poll_told(t: Bench) -> None:
    """A poll that is pending when the server closes is answered by a close packet."""
    control = await t.sio.connect("polling", name="control")
    engine = await _joined_by_hand(t)
    http = await t.http("pending")
    await http.send("GET", engine.target("polling"))
    await t.eio.get(t.eio.query(sid="nobody"))
    await engine.send("4abc")
    with t.expecting("SIO-DISC-07"):
        response = await http.response()
    await require_control(t, control)
    t.equal(response.body, b"1", "answer to the pending poll", rule="EIO-CL-02")
    came, refusal = await _poll_to_the_end(engine)
    t.check(refusal is not None, "the session gone", came)


@case(
    "sio5.close.next-poll.told",
    covers=["SIO-DISC-07", "EIO-CL-03", "EIO-POLL-17", "EIO-CL-08"],
    needs=["app", "polling"],
    tags=["close"],
)
async def next_poll_told(t: Bench) -> None:
    """Where no poll is pending the next one is told, and nothing is delivered meanwhile."""
    control = await t.sio.connect("polling", name="control")
    engine = await _joined_by_hand(t)
    await engine.send("4abc")
    answer = await engine.send('42["message","late"]')
    taken = answer is not None and answer.status == 200
    t.check(taken, "status 200 for a POST of a closing session", answer, rule="EIO-POLL-17")
    came, refusal = await _poll_to_the_end(engine)
    await require_control(t, control)
    t.check(came[-1:] == ["1"], "a close packet at the end", came, rule="EIO-CL-03")
    late = [packet for packet in came if "late" in str(packet)]
    t.equal(late, [], "what was delivered meanwhile", rule="EIO-CL-08")
    t.check(refusal is not None, "the session gone", came)


@case(
    "sio5.close.buffered-events.come-first",
    covers=["SIO-DISC-07", "EIO-CL-04"],
    needs=["app", "polling"],
    tags=["close"],
)
async def buffered_events_come_first(t: Bench) -> None:
    """What the application had emitted before the fault is still fetched, then the session ends."""
    control = await t.sio.connect("polling", name="control")
    engine = await _joined_by_hand(t)
    await engine.send('42["message",1]', '42["message",2]')
    await engine.send("4abc")
    came, refusal = await _poll_to_the_end(engine)
    await require_control(t, control)
    events = [packet for packet in came if packet not in ("1", "6")]
    expected = ['42["message-back",1]', '42["message-back",2]']
    t.equal(events, expected, "events before the end", rule="EIO-CL-04")
    t.check(refusal is not None, "the session gone", came)


@case(
    "sio5.close.websocket.by-close-frame",
    covers=["SIO-DISC-07", "SIO-DISC-14", "EIO-CL-08"],
    needs=["app", "websocket"],
    tags=["close"],
)
async def websocket_by_close_frame(t: Bench) -> None:
    """A WebSocket is closed by a frame without status, and nothing behind the fault is read."""
    bad, control = await t.sio.pair("websocket")
    await send_at_once(bad, "abc", '2["message","late"]')
    closed = await t.expect_closed(bad, while_open=control)
    came = await _rest(bad)
    late = [data for data in came if data == ["message-back", "late"]]
    t.check(not late, "nothing of what came behind", came, rule="EIO-CL-08")
    if closed is not None:
        t.equal(closed.code, 1005, "code of the close frame", rule="SIO-DISC-14")


async def _rest(peer: SocketPeer) -> list[object]:
    came: list[object] = []
    try:
        while True:
            came.append((await peer.next()).data)
    except (Gone, Unexpected):
        return came
