"""HTTP as clients and proxies really send it."""

from __future__ import annotations

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.eio4._shared import (
    TEXT,
    beside_a_session,
    ended_or_answered,
    news,
    receive,
    send_and_hear,
    settle,
)
from sioproto_conformance.peers.eio import EnginePeer, decode_payload, target
from sioproto_conformance.peers.http1 import Response, request_bytes
from sioproto_conformance.peers.wire import Gone, PeerError, Unexpected, within
from sioproto_conformance.peers.ws import WsConnection

_PACKET = "4ä€😀z"
_CHUNKED = ("Transfer-Encoding", "chunked")


async def _open_for_a_post(t: Bench) -> EnginePeer:
    """Open a session whose pongs do not overlap with a POST that is written by hand."""
    peer = await t.eio.open("polling")
    peer.answer_pings = False
    return peer


def _ended(trouble: PeerError) -> bool:
    return isinstance(trouble, (Gone, Unexpected))


def _chunks(*parts: bytes) -> bytes:
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return framed + b"0\r\n\r\n"


@case(
    "eio4.http.chunked-body.read",
    covers=["EIO-POLL-13"],
    needs=["polling", "echo"],
    variants={
        "one-chunk": [_PACKET.encode()],
        "byte-by-byte": [bytes([byte]) for byte in _PACKET.encode()],
        "inside-a-character": [_PACKET.encode()[:2], _PACKET.encode()[2:8], _PACKET.encode()[8:]],
    },
)
async def chunked_body_read(t: Bench, parts: list[bytes]) -> None:
    """A chunked body is read as a whole, wherever it is split."""
    peer = await t.eio.open("polling")
    response = await peer.post(_chunks(*parts), headers=[TEXT, _CHUNKED])
    t.require(response.status == 200, "status 200", response)
    t.equal(await peer.next(), _PACKET, "echo")
    await t.nothing_more(peer)


@case(
    "eio4.http.request-in-pieces.read",
    covers=["EIO-POLL-03"],
    needs=["polling", "echo"],
)
async def request_in_pieces_read(t: Bench) -> None:
    """A request that arrives in small pieces is the same request."""
    peer = await _open_for_a_post(t)
    http = await t.http()
    whole = request_bytes(
        "POST", peer.target(), http.address, headers=[TEXT], body=_PACKET.encode()
    )
    for start in range(0, len(whole), 7):
        await http.send_raw(whole[start : start + 7])
        await trio.lowlevel.checkpoint()
    response = await http.response("POST")
    t.require(response.status == 200, "status 200", response)
    t.equal(await peer.next(), _PACKET, "echo")


@case(
    "eio4.http.connection.kept-alive",
    covers=["EIO-POLL-18"],
    needs=["polling", "echo"],
)
async def connection_kept_alive(t: Bench) -> None:
    """A whole session can use one connection, one request after the other."""
    peer = await t.eio.open("polling", poll=False)
    http = await t.http()
    for n in range(3):
        packet = f"4{n}".encode()
        posted = await http.request("POST", peer.target(), headers=[TEXT], body=packet)
        t.require(posted.status == 200, "status 200 for the POST", posted)
        polled = await http.request("GET", peer.target())
        t.equal(news(decode_payload(polled.body)), [packet.decode()], "packets of the poll")


@case(
    "eio4.http.pipelined-requests.answered-in-order",
    covers=["EIO-POLL-18"],
    needs=["polling", "echo"],
)
async def pipelined_requests_answered_in_order(t: Bench) -> None:
    """A POST and a poll sent in one go are answered one after the other."""
    peer = await t.eio.open("polling", poll=False)
    http = await t.http()
    post = request_bytes("POST", peer.target(), http.address, headers=[TEXT], body=b"4hello")
    await http.send_raw(post + request_bytes("GET", peer.target(), http.address))
    posted = await http.response("POST")
    t.require(posted.status == 200, "status 200 for the POST", posted)
    polled = await http.response("GET")
    t.require(polled.status == 200, "status 200 for the poll", polled)
    t.equal(news(decode_payload(polled.body)), ["4hello"], "packets")


@case(
    "eio4.http.expect-continue.served",
    covers=["EIO-POLL-18b"],
    needs=["polling", "echo"],
)
async def expect_continue_served(t: Bench) -> None:
    """A client that waits to be told to send its body is told so."""
    peer = await _open_for_a_post(t)
    http = await t.http()
    headers = [TEXT, ("Expect", "100-continue"), ("Content-Length", "6")]
    await http.send("POST", peer.target(), headers=headers)
    with within(t.timeout, "status 100"):
        received = await http.wire.receive()
    interim, _, http.rest = received.partition(b"\r\n\r\n")
    t.require(interim.startswith(b"HTTP/1.1 100"), "status 100", repr(interim[:80]))
    await http.send_raw(b"4hello")
    response = await http.response("POST")
    t.require(response.status == 200, "status 200", response)
    t.equal(await peer.next(), "4hello", "echo")


@case(
    "eio4.http.garbage.answered-or-closed",
    covers=["EIO-ROB-02", "EIO-ROB-01"],
    tags=["crash"],
    variants={
        "not-http": b"hello, world\r\n\r\n",
        "binary": bytes(range(256)) * 4 + b"\r\n\r\n",
        "broken-header": b"GET / HTTP/1.1\r\nHost: x\r\nno colon here\r\n\r\n",
        "negative-length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nhello",
        "two-lengths": b"POST / HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n",
        "broken-chunk": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "endless-header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000,
    },
)
async def garbage_answered_or_closed(t: Bench, request: bytes) -> None:
    """Bytes that are no proper request are refused or hung up on, and harm nobody."""
    async with beside_a_session(t) as control:
        http = await t.http("garbage")
        answer = await send_and_hear(http, request)
        # An answer that is no HTTP either is an answer.
        decided = answer.status >= 400 if isinstance(answer, Response) else _ended(answer)
        t.check(decided, "a refusal, or the end of the connection", answer)
        await t.expect_open(control, rule="EIO-ROB-01")


@case("eio4.http.path-without-slash.answered", covers=["EIO-PATH-03"], needs=["polling"])
async def path_without_slash_answered(t: Bench) -> None:
    """A request for the path without its trailing slash is answered, one way or the other."""
    async with beside_a_session(t):
        http = await t.http()
        target = f"{t.eio.path.rstrip('/')}?EIO=4&transport=polling"
        await http.send("GET", target)
        how = await ended_or_answered(t, http)
        t.check(how is not None, "an answer", how or "none")
        t.observe("path without slash", (how or "unanswered")[:40])


@case(
    "eio4.http.websocket-headers.read-as-http",
    covers=["EIO-WS-12"],
    needs=["websocket"],
    variants={
        "token-in-mixed-case": [("Upgrade", "WebSocket"), ("Connection", "upgrade")],
        "connection-as-list": [("Connection", "keep-alive, Upgrade")],
        "names-in-lower-case": [("upgrade", "websocket"), ("connection", "Upgrade")],
        "unknown-extension": [("Sec-WebSocket-Extensions", "x-unknown; a=1, y-unknown")],
    },
)
async def websocket_headers_read_as_http(t: Bench, headers: list[tuple[str, str]]) -> None:
    """A WebSocket request is recognised however its headers are written."""
    ws = await t.eio.websocket(headers=headers)
    if not isinstance(ws, WsConnection):
        t.check(False, "status 101", ws)
        return
    extension = ws.response.header("sec-websocket-extensions") or ""
    t.check("unknown" not in extension, "no extension that we made up", extension)
    first = await ws.receive()
    t.check(str(first.data).startswith("0{"), "an open packet", first.data)


@case(
    "eio4.http.slow-body.read",
    covers=["EIO-POLL-03"],
    needs=["polling", "echo"],
)
async def slow_body_read(t: Bench) -> None:
    """While the body of a POST is on its way, the session receives by its pending poll as ever."""
    peer = await _open_for_a_post(t)
    await peer.send("4before")
    http = await t.http()
    body = _PACKET.encode()
    head = [TEXT, ("Content-Length", str(len(body)))]
    await http.send("POST", peer.target(), headers=head, body=body[:3])
    t.equal(await receive(peer, 1), ["4before"], "what came meanwhile")
    await http.send_raw(body[3:])
    response = await http.response("POST")
    t.require(response.status == 200, "status 200", response)
    t.equal(await peer.next(), _PACKET, "echo")


@case("eio4.http.path-below.served", covers=["EIO-PATH-02"], needs=["polling"], also="eio3")
async def path_below_served(t: Bench) -> None:
    """A request whose path begins with that of the server belongs to it."""
    async with beside_a_session(t):
        http = await t.http()
        where = target(f"{t.eio.path}x/y", t.eio.query())
        response = await http.request("GET", where)
        t.require(response.status == 200, "status 200", response)
        packets = t.eio.framing.decode(response)
        t.check(str(packets[0]).startswith("0{"), "an open packet", response)


@case(
    "eio4.http.request-behind-pending-poll.answered",
    covers=["EIO-POLL-18c", "EIO-ROB-01"],
    needs=["polling", "echo"],
)
async def request_behind_pending_poll(t: Bench) -> None:
    """A POST behind a pending poll on one connection is handled at once, or after the poll."""
    peer = await t.eio.open("polling", poll=False)
    http = await t.http("both")
    poll = request_bytes("GET", peer.target(), http.address)
    label = [peer.framing.label]
    post = request_bytes("POST", peer.target(), http.address, headers=label, body=b"4behind")
    await http.send_raw(poll + post, note="a poll, and a POST behind it")
    await settle(t)
    # This one brings the poll to its end, unless the one behind it has done so already.
    await peer.post(b"4beside")
    with t.expecting("EIO-POLL-18c"):
        first = await http.response()
        second = await http.response("POST")
    t.equal((first.status, second.status), (200, 200), "answers in the order of the requests")
    came = news(peer.decode(first))
    while len(came) < 2:
        came += news(await peer.poll())
    t.equal(sorted(map(str, came)), ["4behind", "4beside"], "echoes")
    t.observe("request behind a pending poll", "at once" if came[0] == "4behind" else "later")


@case(
    "eio4.refusal.origin-with-control-character.refused",
    covers=["EIO-ERR-11"],
    needs=["polling"],
    variants={"delete": b"http://a\x7fb", "bell": b"http://a\x07b", "escape": b"http://a\x1bb"},
)
async def origin_with_control_character(t: Bench, origin: bytes) -> None:
    """A request whose origin has control characters is a bad request."""
    async with beside_a_session(t):
        http = await t.http()
        request = request_bytes("GET", t.eio.target(*t.eio.query()), http.address)
        head = request.removesuffix(b"\r\n") + b"Origin: " + origin + b"\r\n\r\n"
        await http.send_raw(head)
        try:
            response = await http.response()
        except Gone as gone:
            t.check(True, "status 400, or the connection ended", gone)
            return
        t.equal(response.status, 400, "status")
