"""Several packets in one body."""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.eio4._shared import (
    NEUTRAL,
    answer_of,
    news,
    pending_poll,
    poll_for,
    receive,
    still_there,
)
from sioproto_conformance.peers.eio import Packet, encode_payload
from sioproto_conformance.peers.http1 import Response

_MIXED: list[Packet] = ["4one", b"\x01\x02\x03\x04", "4", "4zwölf €", b"4", "42"]


@case(
    "eio4.payload.several-packets.arrive-in-order",
    covers=["EIO-P4-01", "EIO-P4-01b", "EIO-P4-06"],
    needs=["echo", "polling"],
)
async def several_packets_arrive_in_order(t: Bench) -> None:
    """The packets of one POST, text and binary, are all read, and come back in one answer."""
    peer = await t.eio.open("polling", poll=False)
    response = await peer.post(encode_payload(_MIXED))
    t.require(response.status == 200, "status 200", response)
    with t.expecting("EIO-P4-01"):
        answers = await poll_for(peer, len(_MIXED))
    t.equal([packet for answer in answers for packet in answer], _MIXED, "echoes")
    t.equal(len(answers), 1, "number of answers", rule="EIO-P4-06")
    peer.start_polling()
    await t.nothing_more(peer)


@case(
    "eio4.payload.many-packets.all-read",
    covers=["EIO-P4-01"],
    needs=["echo", "polling"],
    variants={"seventeen": 17, "three-hundred": 300},
)
async def many_packets_all_read(t: Bench, count: int) -> None:
    """Only the size of a payload is limited, not the number of its packets."""
    peer = await t.eio.open("polling")
    packets = [f"4{n}" for n in range(count)]
    response = await peer.post(encode_payload(packets))
    t.require(response.status == 200, "status 200", response)
    t.equal(await receive(peer, count), packets, "echoes")
    await t.nothing_more(peer)


@case(
    "eio4.payload.many-posts.arrive-in-order",
    covers=["EIO-P4-01"],
    needs=["echo", "polling"],
)
async def many_posts_arrive_in_order(t: Bench) -> None:
    """The packets of POSTs sent one after the other come back once and in order."""
    peer = await t.eio.open("polling")
    packets = [f"4{n}" for n in range(20)]
    for packet in packets:
        await peer.send(packet)
    t.equal(await receive(peer, len(packets)), packets, "echoes")
    await t.nothing_more(peer)


@case(
    "eio4.payload.batch-into-pending-poll.separated",
    covers=["EIO-P4-01b", "EIO-P4-01"],
    needs=["echo", "polling"],
)
async def batch_into_pending_poll_separated(t: Bench) -> None:
    """A batch that arrives while a poll is pending comes back packet by packet, in order."""
    peer = await t.eio.open("polling", poll=False)
    pending = await pending_poll(t, peer)
    packets = [f"4{n}" for n in range(8)]
    response = await peer.post(encode_payload(packets))
    t.require(response.status == 200, "status 200", response, rule="EIO-P4-01")
    answer = await answer_of(t, pending)
    if isinstance(answer, Response):
        t.check(False, "an answer to the pending poll", answer)
        return
    first = news(answer)
    with t.expecting("EIO-P4-01b"):
        rest = await poll_for(peer, len(packets) - len(first))
    t.equal([*first, *(packet for answer in rest for packet in answer)], packets, "echoes")


@case(
    "eio4.payload.empty-packet.closes-session",
    covers=["EIO-P4-03"],
    needs=["polling"],
    tags=["close"],
    variants={
        "empty-body": b"",
        "separator-alone": b"\x1e",
        "leading": b"\x1e3",
        "trailing": b"3\x1e",
        "doubled": b"3\x1e\x1e3",
    },
)
async def empty_packet_closes_session(t: Bench, body: bytes) -> None:
    """An empty body, and a separator with nothing on one side, end the session."""
    bad, control = await t.eio.pair("polling")
    await bad.post(body)
    await t.expect_closed(bad, while_open=control)


@case(
    "eio4.payload.packets-behind-invalid-one.not-delivered",
    covers=["EIO-P4-04", "EIO-POLL-14"],
    needs=["echo", "polling"],
    tags=["close"],
)
async def packets_behind_invalid_one_not_delivered(t: Bench) -> None:
    """A payload with an invalid packet ends the session there, and is not read on."""
    bad, control = await t.eio.pair("polling")
    await bad.send("4before", "X", "4behind")
    await t.expect_closed(bad, while_open=control, rule="EIO-POLL-14")
    seen = [seen.packet for seen in bad.seen]
    # The application has it in any case; its echo may be overtaken by the end of the session.
    t.observe("echo of the packet before", "came" if "4before" in seen else "did not come")
    t.check("4behind" not in seen, "nothing of what is behind", seen)


@case(
    "eio4.payload.close-packet-inside.ends-delivery",
    covers=["EIO-CL-01", "EIO-P4-05"],
    needs=["echo", "polling"],
    tags=["close"],
)
async def close_packet_inside_ends_delivery(t: Bench) -> None:
    """A close packet in the middle of a payload ends the session there."""
    bad, control = await t.eio.pair("polling")
    await bad.send("4before", "1", "4behind")
    await t.expect_closed(bad, while_open=control)
    seen = [seen.packet for seen in bad.seen]
    t.check("4behind" not in seen, "nothing of what is behind", seen, rule="EIO-P4-05")


@case(
    "eio4.payload.content-type.read-as-text",
    covers=["EIO-POLL-12", "EIO-POLL-12b"],
    needs=["echo", "polling"],
    variants={
        "none": None,
        "plain": "text/plain",
        "json": "application/json",
        "form": "application/x-www-form-urlencoded",
        "other-charset": "text/plain;charset=ISO-8859-1",
    },
)
async def content_type_read_as_text(t: Bench, content_type: str | None) -> None:
    """A payload is text in UTF-8, whatever its label says, or without any."""
    rule = "EIO-POLL-12" if content_type is None else "EIO-POLL-12b"
    peer = await t.eio.open("polling")
    headers = [] if content_type is None else [("Content-Type", content_type)]
    packet = "4a=b&c=+%41 ä€😀"
    response = await peer.post(packet.encode(), headers=headers)
    t.require(response.status == 200, "status 200", response, rule=rule)
    t.equal(await peer.next(), packet, "echo", rule=rule)


@case(
    "eio4.payload.octet-stream.answered",
    covers=["EIO-POLL-11b", "EIO-POLL-11"],
    needs=["polling"],
)
async def octet_stream_answered(t: Bench) -> None:
    """A POST labelled as binary, which a payload never is, is answered, and its session decided."""
    bad, control = await t.eio.pair("polling")
    label = ("Content-Type", "application/octet-stream")
    with t.expecting("EIO-POLL-11b"):
        response = await bad.post(encode_payload([b"\x01\x02\x03"]), headers=[label])
    t.check(response.status in (200, 400), "an answer", response)
    t.check(response.status == 400, "a refusal", response, rule="EIO-POLL-11")
    if response.status == 400:
        after = await bad.post(NEUTRAL)
        t.observe("session after the refusal", "open" if after.status == 200 else "closed")
    elif bad.has_echo:
        t.equal(await bad.next(), b"\x01\x02\x03", "echo")
    await still_there(t, control)
