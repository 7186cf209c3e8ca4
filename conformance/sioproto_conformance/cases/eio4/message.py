"""Messages, which come back from the echo as they were sent."""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import across, case
from sioproto_conformance.cases.eio4._shared import open_any, still_there
from sioproto_conformance.peers.eio import TRANSPORTS, Transport

_TEXTS = {
    "ascii": "hello",
    "digits": "42",
    "like-base64": "bAQID",
    "like-upgrade": "2probe",
    "percent-and-plus": "a+b%20c&d=e",
    "quotes": "\"'\\\\",
    "line-breaks": "a\nb\r\nc\u2028d\u2029e",
    "control-characters": "".join(map(chr, [*range(0x1E), 0x1F, 0x7F, 0x85])),
    "latin": "äöüß ñ",
    "three-bytes": "€ 中文 한국어",
    "four-bytes": "😀 𝒳 🏴",
    "combining": "e\u0301 👩\u200d👩\u200d👧",
    "right-to-left": "שלום \u202eمرحبا",
    "byte-order-mark-inside": "a\ufeffb",
    "noncharacter": "a\uffff\U0010ffffb",
}

BINARIES = {
    "four-bytes": bytes([1, 2, 3, 4]),
    "one-byte": b"\x00",
    "two-bytes": b"\xff\xfe",
    "every-byte": bytes(range(256)),
    "like-a-text-packet": b"4hello",
    "like-revision-3": b"\x04\x01\x02",
    "like-base64-packet": b"bAQID",
    "base64-of-digits": bytes.fromhex("e38e38e38e38"),
    "base64-of-a-close": bytes.fromhex("d75d75"),
    "record-separators": b"\x1e\x1e4\x1e",
    "not-utf8": b"\x80\xc0\xff",
    "long": bytes(range(256)) * 300,
}


@case(
    "eio4.message.text.echoed",
    covers=["EIO-PKT-11", "EIO-PKT-01"],
    needs=["echo"],
    variants=across(TRANSPORTS, _TEXTS),
    also="eio3",
)
async def text_echoed(t: Bench, variant: tuple[Transport, str]) -> None:
    """A text message arrives unchanged, once, whatever characters it is made of."""
    transport, text = variant
    peer = await t.eio.open(transport)
    await peer.send("4" + text)
    t.equal(await peer.next(), "4" + text, "echo")
    await t.nothing_more(peer)


@case(
    "eio4.message.binary.echoed",
    covers=["EIO-PKT-04", "EIO-P4-02", "EIO-PKT-06"],
    needs=["echo"],
    variants=across(TRANSPORTS, BINARIES),
)
async def binary_echoed(t: Bench, variant: tuple[Transport, bytes]) -> None:
    """A binary message arrives unchanged, once, as raw bytes or in base64 as the transport asks."""
    transport, data = variant
    peer = await t.eio.open(transport)
    await peer.send(data)
    rule = "EIO-P4-02" if transport == "polling" else "EIO-PKT-04"
    with t.expecting(rule):
        t.equal(await peer.next(), data, "echo", rule=rule)
    await t.nothing_more(peer, rule=rule)


@case(
    "eio4.message.empty-text.echoed",
    covers=["EIO-PKT-02"],
    needs=["echo"],
    variants=TRANSPORTS,
    also="eio3",
)
async def empty_text_echoed(t: Bench, transport: Transport) -> None:
    """A message packet without data is an empty message."""
    peer = await t.eio.open(transport)
    await peer.send("4")
    t.equal(await peer.next(), "4", "echo")
    await t.nothing_more(peer)


@case(
    "eio4.message.empty-binary.echoed",
    covers=["EIO-WS-02", "EIO-PKT-06"],
    needs=["echo"],
    variants=TRANSPORTS,
)
async def empty_binary_echoed(t: Bench, transport: Transport) -> None:
    """A binary message of no bytes is a message like any other."""
    rule = "EIO-PKT-06" if transport == "polling" else "EIO-WS-02"
    peer = await t.eio.open(transport)
    await peer.send(b"")
    with t.expecting(rule):
        t.equal(await peer.next(), b"", "echo", rule=rule)
    await t.nothing_more(peer, rule=rule)


@case(
    "eio4.message.text-and-binary.keep-order",
    covers=["EIO-WS-01"],
    needs=["echo"],
    also="eio3",
)
async def text_and_binary_keep_order(t: Bench) -> None:
    """Text and binary messages sent by turns over WebSocket come back in that order."""
    peer = await t.eio.open("websocket")
    sent = [f"4{n}" if n % 2 else bytes([n]) for n in range(20)]
    await peer.send(*sent)
    t.equal([await peer.next() for _ in sent], sent, "echoes")
    await t.nothing_more(peer)


@case("eio4.message.base64-in-frame.read", covers=["EIO-PKT-08"], needs=["echo", "websocket"])
async def base64_in_frame_read(t: Bench) -> None:
    """The base64 form is a binary message in a text frame too, and comes back in a binary one."""
    peer = await t.eio.open("websocket")
    await peer.send("bAQID")
    t.equal(await peer.next(), b"\x01\x02\x03", "echo")


@case("eio4.message.b64-parameter.answered-in-text", covers=["EIO-QP-10"], needs=["echo"])
async def b64_parameter_answered_in_text(t: Bench) -> None:
    """A WebSocket opened with b64=1 receives binary messages as base64 text."""
    peer = await t.eio.open("websocket", query=[("b64", "1")])
    await peer.send(b"\x01\x02\x03")
    t.equal(await peer.next(), "bAQID", "echo")


@case("eio4.message.record-separator.kept", covers=["EIO-PKT-12"], needs=["echo", "websocket"])
async def record_separator_kept(t: Bench) -> None:
    """Over WebSocket U+001E does not separate anything."""
    peer = await t.eio.open("websocket")
    await peer.send("4a\x1e4b")
    t.equal(await peer.next(), "4a\x1e4b", "echo")
    await t.nothing_more(peer)


@case(
    "eio4.message.loose-base64.read",
    covers=["EIO-PKT-09"],
    needs=["echo", "polling"],
    variants={
        "no-padding": ("bAQ", b"\x01"),
        "url-safe-alphabet": ("b-_8=", b"\xfb\xff"),
    },
)
async def loose_base64_read(t: Bench, variant: tuple[str, bytes]) -> None:
    """Base64 without padding or in the URL-safe alphabet is read, and written properly."""
    packet, data = variant
    peer = await t.eio.open("polling")
    await peer.send(packet)
    t.equal(await peer.next(), data, "echo")


@case(
    "eio4.message.invalid-base64.decided",
    covers=["EIO-PKT-09b"],
    needs=["echo"],
    tags=["close"],
    variants=across(TRANSPORTS, {"stray-characters": "b!!!", "one-character": "bA"}),
)
async def invalid_base64_decided(t: Bench, variant: tuple[Transport, str]) -> None:
    """Text behind b that is no base64 ends its session or is read as something."""
    transport, packet = variant
    bad, control = await t.eio.pair(transport)
    response = await bad.send(packet)
    if response is not None and response.status != 200:
        await t.expect_closed(bad, while_open=control)
        return
    trouble = await bad.alive()
    decided = trouble is None or bad.closed is not None
    t.check(decided, "the session closed, or its next message echoed", trouble)
    t.observe("no base64", "closed" if bad.closed else f"{[s.packet for s in bad.seen[1:]]}")
    await still_there(t, control)


@case("eio4.message.invalid-utf8.decided", covers=["EIO-ROB-01"], needs=["echo", "polling"])
async def invalid_utf8_decided(t: Bench) -> None:
    """A POST that is no UTF-8 ends its session or is read with replacements."""
    bad, control = await t.eio.pair("polling")
    response = await bad.post(b"4a\xffb")
    t.check(response.status in (200, 400), "status 200 or 400", response)
    trouble = await bad.alive()
    t.check(trouble is None or bad.closed is not None, "closed or in use", trouble)
    t.observe("no UTF-8", "closed" if bad.closed else f"{[s.packet for s in bad.seen[1:]]}")
    await t.expect_open(control)


@case(
    "eio4.message.two-sessions.kept-apart",
    covers=["EIO-PKT-01"],
    needs=["echo"],
    also="eio3",
)
async def two_sessions_kept_apart(t: Bench) -> None:
    """Two sessions at once each get their own messages back."""
    one, two = await open_any(t, name="one"), await open_any(t, name="two")
    for n in range(5):
        await one.send(f"4one-{n}")
        await two.send(f"4two-{n}")
    t.equal([await one.next() for _ in range(5)], [f"4one-{n}" for n in range(5)], "of the one")
    t.equal([await two.next() for _ in range(5)], [f"4two-{n}" for n in range(5)], "of the other")
