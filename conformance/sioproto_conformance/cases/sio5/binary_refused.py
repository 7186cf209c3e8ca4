"""Binary packets and attachments that close the connection."""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.sio5._steps import expect_event, is_ruled_to_close, refuses
from sioproto_conformance.peers.eio import TRANSPORTS, Transport

_PLACEHOLDER = '{"_placeholder":true,"num":0}'


@case(
    "sio5.binary.too-many.closes",
    covers=["SIO-BIN-10", "SIO-DISC-07", "SIO-OPT-12"],
    needs=["app"],
    tags=["crash", "close"],
    variants=across(
        {
            "eleven": '511-["message"]',
            "eleven-in-ack": "611-0[]",
            "billion": '51000000000-["message"]',
            "400-digits": f'5{"9" * 400}-["message"]',
        },
        TRANSPORTS,
    ),
    also="sio4",
)
async def too_many_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """A packet that announces more than 10 attachments closes before any of them comes."""
    text, transport = variant
    bad, control = await t.sio.pair(transport)
    await refuses(t, bad, control, text)
    closed = bad.closed is not None
    t.check(closed, "no more than 10 taken", "the connection is open", rule="SIO-OPT-12")


@case(
    "sio5.binary.count-zero.variant",
    covers=["SIO-BIN-12"],
    needs=["app"],
    variants={"event": '50-["message",1]', "with-id": '50-1["message-with-ack",1]'},
)
async def count_zero_variant(t: Bench, text: str) -> None:
    """A binary packet that announces no attachment closes the connection."""
    bad, control = await t.sio.pair()
    await is_ruled_to_close(t, bad, control, text)


@case(
    "sio5.binary.count-malformed.closes",
    covers=["SIO-DEC-05", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants=across(
        {
            "bare": "5",
            "no-dash": f'51["message",{_PLACEHOLDER}]',
            "no-digits": f'5-["message",{_PLACEHOLDER}]',
            "nothing-behind-count": "51",
            "letter": f'5a-["message",{_PLACEHOLDER}]',
            "fraction": f'51.5-["message",{_PLACEHOLDER}]',
            "negative": f'5-1-["message",{_PLACEHOLDER}]',
            "nan": f'5NaN-["message",{_PLACEHOLDER}]',
            "arabic-digit": f'5\u0661-["message",{_PLACEHOLDER}]',
            "dash-in-name": f'5["a-b",{_PLACEHOLDER}]',
            "ack": f"6[{_PLACEHOLDER}]",
        },
        TRANSPORTS,
    ),
    also="sio4",
)
async def count_malformed_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """A binary packet without a proper attachment count closes the connection."""
    text, transport = variant
    bad, control = await t.sio.pair(transport)
    await refuses(t, bad, control, text)


@case(
    "sio5.binary.placeholder-number.closes",
    covers=["SIO-BIN-13", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants=across(
        {
            "past-end": '{"_placeholder":true,"num":1}',
            "far": '{"_placeholder":true,"num":1000000000000}',
            "negative": '{"_placeholder":true,"num":-1}',
            "string": '{"_placeholder":true,"num":"0"}',
            "method-name": '{"_placeholder":true,"num":"splice"}',
            "null": '{"_placeholder":true,"num":null}',
            "false": '{"_placeholder":true,"num":false}',
            "true": '{"_placeholder":true,"num":true}',
            "array": '{"_placeholder":true,"num":[0]}',
            "missing": '{"_placeholder":true}',
        },
        TRANSPORTS,
    ),
    also="sio4",
)
async def placeholder_number_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """A placeholder of an attachment that does not exist closes and delivers nothing."""
    placeholder, transport = variant
    bad, control = await t.sio.pair(transport)
    await refuses(t, bad, control, f'51-["message",{placeholder}]', b"\x01")


@case(
    "sio5.binary.text-between.closes",
    covers=["SIO-BIN-15", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants=across(
        {
            "event": '2["message","between"]',
            "event-custom": '2/custom,["message"]',
            "ack": "30[]",
            "disconnect": "1",
            "disconnect-custom": "1/custom,",
            "connect": "0/nobody,",
            "another-binary": f'51-["message",{_PLACEHOLDER}]',
        },
        TRANSPORTS,
    ),
    also="sio4",
)
async def text_between_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """A text message while an attachment is missing closes, whatever its type and namespace."""
    text, transport = variant
    bad, control = await t.sio.pair(transport)
    await bad.connect("/custom")
    await bad.send(f'51-["message",{_PLACEHOLDER}]')
    await refuses(t, bad, control, text)


@case(
    "sio5.binary.unannounced.closes",
    covers=["SIO-BIN-16", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants=across({"some": b"\x01\x02", "empty": b"", "text": b'2["message",1]'}, TRANSPORTS),
    also="sio4",
)
async def unannounced_closes(t: Bench, variant: tuple[bytes, Transport]) -> None:
    """A binary message that no packet announced closes the connection."""
    data, transport = variant
    bad, control = await t.sio.pair(transport)
    mark = len(bad.engine.seen)
    await bad.engine.send(data)
    await t.expect_closed(bad, while_open=control)
    answers = [seen.packet for seen in bad.engine.seen[mark:] if seen.packet not in ("1", "2", "6")]
    t.check(not answers, "no packet in answer", answers or None, rule="SIO-DISC-07")


@case(
    "sio5.binary.one-too-many.closes",
    covers=["SIO-BIN-16"],
    needs=["app"],
    tags=["close"],
    variants=TRANSPORTS,
    also="sio4",
)
async def one_too_many_closes(t: Bench, transport: Transport) -> None:
    """A second attachment behind a packet that announced one closes the connection."""
    bad, control = await t.sio.pair(transport)
    await bad.send(f'51-["message",{_PLACEHOLDER}]', b"\x01")
    await expect_event(t, bad, "message-back", b"\x01")
    await bad.engine.send(b"\x02")
    await t.expect_closed(bad, while_open=control)


@case(
    "sio5.binary.unannounced-first.closes",
    covers=["SIO-CONN-03"],
    tags=["close"],
    variants=TRANSPORTS,
)
async def unannounced_first_closes(t: Bench, transport: Transport) -> None:
    """A connection that starts with a binary message instead of CONNECT is closed."""
    bad = await t.sio.open(transport, name="bad")
    control = await t.sio.connect(transport, name="control")
    await bad.engine.send(b"\x01")
    await t.expect_closed(bad, while_open=control)


@case(
    "sio5.binary.payload-judged-first.closes",
    covers=["SIO-VAL-09", "SIO-DISC-07"],
    needs=["app"],
    tags=["close"],
    variants=across(
        {
            "object": "51-{}",
            "empty-array": "51-[]",
            "malformed": '51-["message"',
            "reserved-name": f'51-["disconnect",{_PLACEHOLDER}]',
            "placeholder-as-name": f"51-[{_PLACEHOLDER}]",
            "ack-object": "61-0{}",
        },
        TRANSPORTS,
    ),
    also="sio4",
)
async def payload_judged_first_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """A binary packet with a payload that its type forbids closes before any attachment."""
    text, transport = variant
    bad, control = await t.sio.pair(transport)
    await refuses(t, bad, control, text)


@case(
    "sio5.binary.payload-missing.closes",
    covers=["SIO-VAL-04"],
    needs=["app"],
    tags=["close"],
    variants=TRANSPORTS,
)
async def payload_missing_closes(t: Bench, transport: Transport) -> None:
    """A binary event without a payload closes, at the latest with its attachment."""
    bad, control = await t.sio.pair(transport)
    await bad.send("51-", b"\x01")
    await t.expect_closed(bad, while_open=control)


@case(
    "sio5.binary.placeholder-number.judged-when-complete",
    covers=["SIO-BIN-14", "SIO-BIN-13"],
    needs=["app", "websocket"],
    tags=["close"],
)
async def placeholder_number_judged_when_complete(t: Bench) -> None:
    """A placeholder without attachment is found out when the last attachment has come."""
    bad, control = await t.sio.pair("websocket")
    await bad.send('51-["message",{"_placeholder":true,"num":1}]')
    # Below Socket.IO the session shows that it is alive, which no packet may do now.
    trouble = await bad.engine.alive()
    t.check(trouble is None, "the connection open until then", trouble)
    await bad.engine.send(b"\x01")
    await t.expect_closed(bad, while_open=control, rule="SIO-BIN-13")


@case(
    "sio5.binary.half-a-packet.forgotten-with-its-connection",
    covers=["SIO-BIN-19", "SIO-BIN-16"],
    needs=["app"],
    tags=["close"],
    variants=TRANSPORTS,
    also="sio4",
)
async def half_a_packet_forgotten(t: Bench, transport: Transport) -> None:
    """What a client began before it went is neither completed by another nor in its way."""
    gone = await t.sio.connect(transport, name="gone")
    await gone.send(f'52-["message",{_PLACEHOLDER}]', b"\x01")
    await gone.engine.hang_up()
    bad, control = await t.sio.pair(transport)
    await bad.emit("message", b"own")
    packet = await bad.next()
    t.equal(packet.data, ["message-back", b"own"], "echo")
    await bad.engine.send(b"\x02")
    await t.expect_closed(bad, while_open=control, rule="SIO-BIN-16")


@case(
    "sio5.binary.attachment-behind-count-zero.closes",
    covers=["SIO-BIN-16"],
    needs=["app"],
    tags=["close", "security"],
    variants=across({"event": '50-["message",1]', "ack": "60-0[1]"}, TRANSPORTS),
)
async def attachment_behind_count_zero_closes(t: Bench, variant: tuple[str, Transport]) -> None:
    """Binary messages behind a packet that announced none are not kept for anything."""
    text, transport = variant
    bad, control = await t.sio.pair(transport)
    await bad.send(text, *[b"\x01" * 100] * 3)
    await t.expect_closed(bad, while_open=control)


@case(
    "sio5.binary.half-a-packet-at-each-of-many.harms-nobody",
    covers=["SIO-OPT-13", "SIO-ROB-01"],
    needs=["app"],
    tags=["security", "serial"],
)
async def half_a_packet_at_each_of_many(t: Bench) -> None:
    """Clients that each leave a packet half sent are forgotten, and others are served as before."""
    control = await t.sio.connect(name="control")
    header = "59-" + f'["message",{_PLACEHOLDER}]'
    for number in range(20):
        peer = await t.sio.connect(name=f"gone{number}")
        await peer.send(header, *[b"\x01" * 10_000] * 8)
        await peer.engine.hang_up()
    await t.expect_open(control)
    newcomer = await t.sio.connect(name="newcomer")
    await t.expect_open(newcomer, rule="SIO-ROB-01")
