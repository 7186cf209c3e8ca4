"""Several packets in one body, in the text form and in the binary form."""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.eio4._shared import poll_for, receive, still_there
from sioproto_conformance.peers.eio import EnginePeer, Packet
from sioproto_conformance.peers.framing import BINARY, TEXT, Header, encode_binary_payload_3
from sioproto_conformance.peers.http1 import Response

_MIXED: list[Packet] = ["4one", b"\x01\x02\x03\x04", "4", "4zwölf €😀", b"4", "42", b""]
_WITHOUT_BINARY = [("b64", "1")]


@case(
    "eio3.payload.several-packets.arrive-in-order",
    covers=["EIO-P3-01"],
    needs=["echo", "polling"],
    variants={"text": "text", "bytes": "bytes"},
)
async def several_packets_arrive_in_order(t: Bench, form: str) -> None:
    """The packets of one POST, text and binary, are all read, and come back in order."""
    peer = await t.eio.open("polling", poll=False)
    if form == "text":
        response = await peer.post(peer.encode(*_MIXED))
    else:
        response = await peer.post(encode_binary_payload_3(_MIXED), headers=[BINARY])
    t.require(response.status == 200, "status 200", response)
    answers = await poll_for(peer, len(_MIXED))
    t.equal([packet for answer in answers for packet in answer], _MIXED, "echoes")
    peer.start_polling()
    await t.nothing_more(peer)


@case(
    "eio3.payload.many-packets.all-read",
    covers=["EIO-P3-01"],
    needs=["echo", "polling"],
    variants={"seventeen": 17, "three-hundred": 300},
)
async def many_packets_all_read(t: Bench, count: int) -> None:
    """Only the size of a payload is limited, not the number of its packets."""
    peer = await t.eio.open("polling")
    packets = [f"4{n}" for n in range(count)]
    response = await peer.post(peer.encode(*packets))
    t.require(response.status == 200, "status 200", response)
    t.equal(await receive(peer, count), packets, "echoes")
    await t.nothing_more(peer)


@case(
    "eio3.payload.length.in-utf-16",
    covers=["EIO-P3-02"],
    needs=["echo", "polling"],
    variants={
        "ascii": "5:4abcd",
        "latin": "3:4äö",
        "three-bytes": "2:4€",
        "four-bytes": "3:4😀",
        "mixed": "7:4a€😀中z",
        "combining": "8:4👩‍👧e\u0301",
    },
)
async def length_in_utf_16(t: Bench, body: str) -> None:
    """A length counts UTF-16 code units, in what the server reads and in what it writes."""
    peer = await t.eio.open("polling", poll=False)
    response = await peer.post(body.encode())
    t.require(response.status == 200, "status 200", response)
    answer = await peer.get()
    t.equal(answer.text, body, "body of the answer")
    peer.start_polling()
    await t.nothing_more(peer)


@case(
    "eio3.payload.length-in-other-units.closes-session",
    covers=["EIO-P3-02"],
    needs=["polling"],
    tags=["close"],
    variants={
        "code-points": "2:4😀",
        "bytes-of-three": "4:4€",
        "bytes-of-four": "5:4😀",
        "bytes-then-more": "4:4€2:4b",
    },
)
async def length_in_other_units(t: Bench, body: str) -> None:
    """A length in code points or in bytes does not fit, and ends the session."""
    bad, control = await t.eio.pair("polling")
    await bad.post(body.encode())
    await t.expect_closed(bad, while_open=control)


@case(
    "eio3.payload.malformed.closes-session",
    covers=["EIO-P3-05"],
    needs=["polling"],
    tags=["close"],
    variants={
        "empty-body": b"",
        "no-length": b"abc",
        "of-revision-4": b"4hello",
        "empty-length": b":4a",
        "beyond-the-end": b"5:4abc",
        "far-beyond-the-end": b"9999999999:4a",
        "endless-length": b"9" * 5000 + b":4a",
        "length-without-end": b"1" * 5000,
        "negative": b"-2:4a",
        "trailing-digit": b"2:4a2",
        "trailing-packet": b"1:622",
        "invalid-packet": b"3:abc",
        "second-invalid": b"1:63:abc",
    },
)
async def malformed_closes_session(t: Bench, body: bytes) -> None:
    """A body that is no sequence of lengths and packets ends the session, and at once."""
    bad, control = await t.eio.pair("polling")
    await bad.post(body)
    await t.expect_closed(bad, while_open=control)


@case(
    "eio3.payload.loose-length.decided",
    covers=["EIO-P3-06"],
    needs=["echo", "polling"],
    variants={
        "leading-zero": "02:4a",
        "exponent": "2e0:4a",
        "hexadecimal": "0x2:4a",
        "blank": " 2:4a",
        "plus": "+2:4a",
        "arabic-digit": "٢:4a",
    },
)
async def loose_length_decided(t: Bench, body: str) -> None:
    """What JavaScript takes for a number is read as one, or ends the session."""
    bad, control = await t.eio.pair("polling")
    await bad.post(body.encode())
    trouble = await bad.alive()
    echoes = [seen.packet for seen in bad.seen if seen.packet == "4a"]
    read = trouble is None and echoes == ["4a"]
    t.check(read or bad.closed is not None, "the packet read, or the session closed", trouble)
    t.observe("loose length", "read" if read else "closed")
    await still_there(t, control)


@case(
    "eio3.payload.empty-packet.skipped",
    covers=["EIO-P3-04"],
    needs=["echo", "polling"],
    variants={"alone": (b"0:", []), "before-others": (b"0:2:4a0:", ["4a"])},
)
async def empty_packet_skipped(t: Bench, variant: tuple[bytes, list[Packet]]) -> None:
    """A packet of length 0 is none."""
    body, expected = variant
    peer = await t.eio.open("polling")
    response = await peer.post(body)
    t.require(response.status == 200, "status 200", response)
    t.equal(await peer.sentinel(), expected, "echoes before the sentinel")


@case(
    "eio3.payload.base64.read-and-written",
    covers=["EIO-P3-03", "EIO-PKT-07", "EIO-P3-10"],
    needs=["echo", "polling"],
)
async def base64_read_and_written(t: Bench) -> None:
    """A client that takes no binary gets base64, whose length counts b, type and base64."""
    peer = await t.eio.open("polling", poll=False, query=_WITHOUT_BINARY)
    response = await peer.post(b"10:b4AQIDBA==")
    t.require(response.status == 200, "status 200", response)
    answer = await peer.get()
    t.equal(answer.body, b"10:b4AQIDBA==", "body of the answer")
    t.equal(_kind(answer), "text/plain", "kind of the answer", rule="EIO-P3-10")


@case(
    "eio3.payload.bytes.written-for-binary",
    covers=["EIO-P3-07", "EIO-P3-08", "EIO-P3-10", "EIO-P3-09"],
    needs=["echo", "polling"],
    variants={
        "binary-alone": ("10:b4AQIDBA==", "01 05 ff 04 01 02 03 04"),
        "longer": (f"22:b4{'AAAA' * 4}AA==", "01 01 04 ff 04" + " 00" * 13),
        "empty": ("2:b4", "01 01 ff 04"),
    },
)
async def bytes_written_for_binary(t: Bench, variant: tuple[str, str]) -> None:
    """A client that takes binary gets it in a payload of bytes, the type within the length."""
    body, expected = variant
    peer = await t.eio.open("polling", poll=False)
    response = await peer.post(body.encode())
    t.require(response.status == 200, "status 200", response)
    answer = await peer.get()
    t.equal(_kind(answer), BINARY[1], "kind of the answer", rule="EIO-P3-10")
    t.equal(answer.body.hex(" "), bytes.fromhex(expected).hex(" "), "body", rule="EIO-P3-08")


@case(
    "eio3.payload.text-beside-binary.length-in-bytes",
    covers=["EIO-P3-09", "EIO-P3-07"],
    needs=["echo", "polling"],
)
async def text_beside_binary(t: Bench) -> None:
    """Text in a payload of bytes is UTF-8, and its length that of the bytes."""
    peer = await t.eio.open("polling", poll=False)
    await peer.post("3:4€a6:b4AQID".encode())
    answer = await peer.get()
    if _kind(answer) != BINARY[1]:
        t.equal(answer.text, "3:4€a", "body of an answer without binary")
        t.inconclusive("the two packets came in two answers")
    whole = "00 05 ff 34 e2 82 ac 61 01 04 ff 04 01 02 03"
    t.equal(answer.body.hex(" "), whole, "body of the answer")


@case("eio3.payload.text-alone.stays-text", covers=["EIO-P3-10"], needs=["echo", "polling"])
async def text_alone_stays_text(t: Bench) -> None:
    """A client that takes binary gets a payload of text where no packet is binary."""
    peer = await t.eio.open("polling", poll=False)
    await peer.post(b"6:4hello")
    answer = await peer.get()
    t.equal(_kind(answer), "text/plain", "kind of the answer")
    t.equal(answer.body, b"6:4hello", "body of the answer")


@case(
    "eio3.payload.bytes.read",
    covers=["EIO-P3-11", "EIO-P3-15", "EIO-P3-09", "EIO-P3-07"],
    needs=["echo", "polling"],
    variants={
        "binary": ("01 05 ff 04 01 02 03 04", [b"\x01\x02\x03\x04"], True),
        "text": ("00 06 ff 34 68 65 6c 6c 6f", ["4hello"], True),
        "text-not-ascii": ("00 08 ff 34 e2 82 ac f0 9f 98 80", ["4€😀"], True),
        "both": ("00 02 ff 34 61 01 02 ff 04 07 00 02 ff 34 62", ["4a", b"\x07", "4b"], True),
        "two-digits": ("01 01 01 ff 04" + " 2a" * 10, [b"*" * 10], True),
        "from-a-client-without-binary": ("01 04 ff 04 01 02 03", [b"\x01\x02\x03"], False),
    },
)
async def bytes_read(t: Bench, variant: tuple[str, list[Packet], bool]) -> None:
    """A POST labelled as binary is a payload of bytes, whatever the client takes itself."""
    body, packets, takes_binary = variant
    rule = "EIO-P3-07" if takes_binary else "EIO-P3-15"
    peer = await t.eio.open("polling", query=[] if takes_binary else _WITHOUT_BINARY)
    response = await peer.post(bytes.fromhex(body), headers=[BINARY])
    t.require(response.status == 200, "status 200", response, rule=rule)
    t.equal(await receive(peer, len(packets)), packets, "echoes", rule=rule)
    await t.nothing_more(peer, rule=rule)


@case(
    "eio3.payload.wrong-label.closes-session",
    covers=["EIO-P3-11"],
    needs=["polling"],
    tags=["close"],
    variants={
        "text-as-bytes": (b"6:4hello", BINARY),
        "bytes-as-text": (bytes.fromhex("01 05 ff 04 01 02 03 04"), TEXT),
    },
)
async def wrong_label_closes_session(t: Bench, variant: tuple[bytes, Header]) -> None:
    """Which form a payload has is told by its label alone."""
    body, label = variant
    bad, control = await t.eio.pair("polling")
    await bad.post(body, headers=[label])
    await t.expect_closed(bad, while_open=control)


@case(
    "eio3.payload.malformed-bytes.closes-session",
    covers=["EIO-P3-12", "EIO-P3-13"],
    needs=["polling"],
    tags=["close"],
    variants={
        "no-end-of-length": ("EIO-P3-12", "00 01 02 03 04 05"),
        "digit-above-nine": ("EIO-P3-12", "00 0a ff 34 61"),
        "beyond-the-end": ("EIO-P3-12", "00 09 ff 34 68"),
        "far-beyond-the-end": ("EIO-P3-12", "01 09 09 09 09 09 09 09 09 09 09 ff 04"),
        "endless-length": ("EIO-P3-12", "00" + "09" * 5000),
        "trailing-byte": ("EIO-P3-12", "00 02 ff 34 61 00"),
        "not-utf8": ("EIO-P3-13", "00 02 ff 34 ff"),
        "overlong": ("EIO-P3-13", "00 03 ff 34 c0 80"),
    },
)
async def malformed_bytes_close_session(t: Bench, variant: tuple[str, str]) -> None:
    """A payload of bytes that does not keep to its form ends the session, and at once."""
    rule, body = variant
    bad, control = await t.eio.pair("polling")
    await bad.post(bytes.fromhex(body), headers=[BINARY])
    await t.expect_closed(bad, while_open=control, rule=rule)


@case(
    "eio3.payload.close-packet-inside.ends-delivery",
    covers=["EIO-CL-01", "EIO-P3-14"],
    needs=["echo", "polling"],
    tags=["close"],
    variants={"text": False, "bytes": True},
)
async def close_packet_inside_ends_delivery(t: Bench, in_bytes: bool) -> None:
    """A close packet in the middle of a payload ends the session there."""
    bad, control = await t.eio.pair("polling")
    packets: list[Packet] = ["4before", "1", "4behind"]
    if in_bytes:
        await bad.post(encode_binary_payload_3(packets), headers=[BINARY])
    else:
        await bad.send(*packets)
    await t.expect_closed(bad, while_open=control)
    seen = [seen.packet for seen in bad.seen]
    t.check("4behind" not in seen, "nothing of what is behind", seen, rule="EIO-P3-14")


@case(
    "eio3.payload.content-type.read-as-text",
    covers=["EIO-P3-11"],
    needs=["echo", "polling"],
    variants={
        "none": None,
        "plain": "text/plain",
        "json": "application/json",
        "form": "application/x-www-form-urlencoded",
    },
)
async def content_type_read_as_text(t: Bench, content_type: str | None) -> None:
    """A payload that is not labelled as binary is text in UTF-8, whatever its label says."""
    peer: EnginePeer = await t.eio.open("polling")
    headers = [] if content_type is None else [("Content-Type", content_type)]
    packet = "4a=b&c=+%41 ä€😀"
    response = await peer.post(peer.encode(packet), headers=headers)
    t.require(response.status == 200, "status 200", response)
    t.equal(await peer.next(), packet, "echo")


def _kind(response: Response) -> str:
    return (response.header("content-type") or "none").partition(";")[0].strip().lower()
