"""Polling by scripts and forms, which old browsers need, in both revisions."""

from __future__ import annotations

import json
import re

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.eio4._shared import beside_a_session, poll_for
from sioproto_conformance.peers.framing import FORM, Packet

# The document of revision 4 does not know this way of polling.
_UNWRITTEN = "EIO-JP-07"

_TEXTS = {
    "ascii": "hello",
    "newline": "a\nb",
    "backslash-and-n": "a\\nb",
    "both": "a\\n\nb\\\\n",
    "plus-and-percent": "a+b%20c",
    "ampersand-and-equals": "a&d=b;c=d",
    "quotes": "\"'\\",
    "line-separators": "a\u2028b\u2029c",
    "closing-tag": "</script><!--",
    "four-bytes": "😀 €",
}


@case(
    "eio3.jsonp.handshake.script",
    covers=["EIO-JP-01", "EIO-JP-02"],
    needs=["jsonp"],
    variants={
        "zero": ("0", "0"),
        "several-digits": ("123", "123"),
        "digits-among-others": ("73", "7x3"),
        "script-injected": ("1", "1](alert)//"),
    },
    also="eio4",
    stand_ins={"EIO-JP-01": _UNWRITTEN, "EIO-JP-02": _UNWRITTEN},
)
async def handshake_script(t: Bench, variant: tuple[str, str]) -> None:
    """The answer is a call of the function of that number, with the payload as a string."""
    number, parameter = variant
    async with beside_a_session(t):
        path = t.site.jsonp_path or t.eio.path
        http = await t.http()
        query = "&".join(f"{name}={value}" for name, value in t.eio.query())
        response = await http.request("GET", f"{path}?{query}&j={parameter}")
        if parameter != number and response.status == 400:
            t.observe("a number that is more than digits", "refused")
            t.check(True, f"a call of function {number}, or a refusal", response)
            return
        t.require(response.status == 200, "status 200", response)
        script = re.fullmatch(r"___eio\[([0-9]+)\]\((\".*\")\);?", response.text)
        if script is None:
            t.check(False, "a script", response)
            return
        t.equal(script[1], number, "number of the function")
        payload = json.loads(script[2])
        start = "0{" if t.eio.framing.revision == "4" else r"[1-9][0-9]*:0{"
        opens = re.match(start.replace("{", r"\{"), payload) is not None
        t.check(opens, "an open packet", payload, rule="EIO-JP-02")


@case(
    "eio3.jsonp.text.echoed",
    covers=["EIO-JP-03", "EIO-JP-02"],
    needs=["jsonp"],
    variants=_TEXTS,
    also="eio4",
    stand_ins={"EIO-JP-02": _UNWRITTEN, "EIO-JP-03": _UNWRITTEN},
)
async def text_echoed(t: Bench, text: str) -> None:
    """A message goes to the server in a form and comes back in a script, unchanged."""
    peer = await t.eio.open_scripted("7")
    response = await peer.send(f"4{text}")
    taken = response is not None and response.status == 200
    t.require(taken, "status 200", response)
    answer = await peer.get()
    raw = [name for name in "\u2028\u2029\n\r" if name in answer.text]
    t.equal(raw, [], "line ends that are not escaped", rule="EIO-JP-02")
    with t.expecting("EIO-JP-02"):
        packets = peer.decode(answer)
    t.equal(packets, [f"4{text}"], "echo")


@case(
    "eio3.jsonp.form.read",
    covers=["EIO-JP-03"],
    needs=["jsonp"],
    variants={
        "escaped-newline": ("4a%5Cnb", "4a\nb"),
        "doubled-backslash": ("4a%5C%5Cnb", "4a\\nb"),
        "real-newline": ("4a%0Ab", "4a\nb"),
        "plus": ("4a+b", "4a b"),
        "percent": ("4a%2Bb%26", "4a+b&"),
    },
    also="eio4",
    stand_ins={"EIO-JP-03": _UNWRITTEN},
)
async def form_read(t: Bench, variant: tuple[str, str]) -> None:
    """The field d of the form is percent-encoded, and in it backslash and n mean a newline."""
    value, packet = variant
    peer = await t.eio.open_scripted()
    length = "" if t.eio.framing.revision == "4" else f"{len(packet)}:"
    response = await peer.post(f"d={length}{value}".encode())
    t.require(response.status == 200, "status 200", response)
    answers = await poll_for(peer, 1)
    t.equal(answers, [[packet]], "echo")


@case(
    "eio3.jsonp.poll.same-function",
    covers=["EIO-QP-09", "EIO-JP-01"],
    needs=["jsonp"],
    variants={"other-number": [("j", "8")], "none": []},
)
async def poll_same_function(t: Bench, query: list[tuple[str, str]]) -> None:
    """Every poll is answered by the function of the handshake, whatever it asks for itself."""
    peer = await t.eio.open_scripted("7")
    await peer.send("4hello")
    path = t.site.jsonp_path or t.eio.path
    http = await t.http()
    parameters = [*t.eio.query(sid=peer.sid), *query]
    text = "&".join(f"{name}={value}" for name, value in parameters)
    response = await http.request("GET", f"{path}?{text}")
    t.require(response.status == 200, "status 200", response)
    with t.expecting("EIO-QP-09"):
        t.equal(peer.decode(response), ["4hello"], "echo in a call of function 7")


@case(
    "eio3.jsonp.form-without-payload.ok",
    covers=["EIO-JP-04"],
    needs=["jsonp"],
    variants={"no-form": b"4hello", "other-field": b"e=4hello", "twice": b"d=4a&d=4b"},
    also="eio4",
)
async def form_without_payload_ok(t: Bench, body: bytes) -> None:
    """A form without d, or with several, is answered with ok, and delivers nothing."""
    peer = await t.eio.open_scripted()
    response = await peer.post(body, headers=[FORM])
    t.equal((response.status, response.body.lower()), (200, b"ok"), "answer")
    peer.start_polling()
    await t.nothing_more(peer)


@case(
    "eio3.jsonp.binary.in-base64",
    covers=["EIO-JP-05"],
    needs=["jsonp"],
    variants={"asked-for": [("b64", "1")], "not-asked-for": []},
    also="eio4",
    stand_ins={"EIO-JP-05": _UNWRITTEN},
)
async def binary_in_base64(t: Bench, query: list[tuple[str, str]]) -> None:
    """Binary messages come in base64, as a script holds nothing but text."""
    peer = await t.eio.open_scripted(query=query)
    sent: list[Packet] = ["4text", b"\x01\x02\x03", b""]
    await peer.send(*sent)
    answers = await poll_for(peer, len(sent))
    t.equal([packet for answer in answers for packet in answer], sent, "echoes")


@case(
    "eio3.jsonp.session.closed-by-packet",
    covers=["EIO-JP-03"],
    needs=["jsonp"],
    tags=["close"],
    also="eio4",
    stand_ins={"EIO-JP-03": _UNWRITTEN},
)
async def session_closed_by_packet(t: Bench) -> None:
    """A close packet in a form ends the session."""
    bad, control = await t.eio.open_scripted("1"), await t.eio.open_scripted("2")
    control.name = "control"
    control.start_polling()
    await bad.send("1")
    await t.expect_closed(bad, while_open=control)


@case(
    "eio3.jsonp.upgrade.messages-by-websocket",
    covers=["EIO-UPS-04", "EIO-JP-01"],
    needs=["jsonp", "upgrade"],
    also="eio4",
    stand_ins={"EIO-JP-01": _UNWRITTEN},
)
async def upgrade_messages_by_websocket(t: Bench) -> None:
    """A session polled by scripts is upgraded like any other."""
    peer = await t.eio.open_scripted()
    peer.start_polling()
    await peer.send("4before")
    t.equal(await peer.next(), "4before", "echo by a script", rule="EIO-JP-01")
    await peer.upgrade()
    await peer.send("4after")
    t.equal(await peer.next(), "4after", "echo by WebSocket")
    await t.nothing_more(peer)
