"""Requests that the server has to refuse, and what becomes of the session that they name."""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.eio4._shared import (
    MESSAGES,
    beside_a_session,
    check_not_open,
    check_refusal,
    until_end,
)
from sioproto_conformance.peers.eio import Query, Transport
from sioproto_conformance.peers.http1 import Response

_METHODS = {name: name.upper() for name in ("put", "delete", "patch", "head")}


def _session(sid: str, transport: str = "polling", revision: str | None = "4") -> Query:
    known = [("EIO", revision)] if revision is not None else []
    return [*known, ("transport", transport), ("sid", sid)]


@case(
    "eio4.refusal.unknown-session.answered",
    covers=["EIO-QP-05", "EIO-ERR-03", "EIO-ERR-01"],
    needs=["polling"],
    variants={"get": "GET", "post": "POST"},
    also="eio3",
)
async def unknown_session_answered(t: Bench, method: str) -> None:
    """A poll or POST with a session id that was never given out is answered with status 400."""
    async with beside_a_session(t):
        body = b"4hello" if method == "POST" else None
        response = await t.eio.get(t.eio.query(sid="nobody"), method=method, body=body)
        check_refusal(t, response, 1, status="EIO-QP-05", body="EIO-ERR-03")


@case(
    "eio4.refusal.websocket-parameter.not-open",
    covers=["EIO-ERR-25", "EIO-ERR-20", "EIO-ERR-21"],
    needs=["websocket"],
    variants={
        "no-revision": ([("transport", "websocket")], 5),
        "unknown-revision": ([("EIO", "abc"), ("transport", "websocket")], 5),
        "no-transport": ([("EIO", "4")], 0),
        "unknown-transport": ([("EIO", "4"), ("transport", "abc")], 0),
        "unknown-session": (_session("nobody", "websocket"), 1),
    },
)
async def websocket_parameter_not_open(t: Bench, variant: tuple[Query, int]) -> None:
    """A WebSocket with a missing or wrong parameter does not stay open."""
    query, code = variant
    async with beside_a_session(t):
        rule = "EIO-ERR-21" if code == 5 else "EIO-ERR-20"
        answer = await check_not_open(t, query, granted=rule)
        refused = isinstance(answer, Response)
        instead = "no response" if answer is None else "status 101"
        t.check(refused, "a refusal before status 101", None if refused else instead, rule=rule)
        if isinstance(answer, Response) and code != 5:
            t.equal(answer.status, 400, "status", rule="EIO-ERR-20")
            t.equal(answer.text, MESSAGES[code], "body", rule="EIO-ERR-20")


@case("eio4.refusal.websocket-revision-3.not-open", covers=["EIO-ERR-25"], needs=["websocket"])
async def websocket_revision_3_not_open(t: Bench) -> None:
    """A WebSocket of revision 3 does not stay open at a server that does not speak it."""
    async with beside_a_session(t):
        spoken = await t.eio.get([("EIO", "3"), ("transport", "polling")])
        if spoken.status == 200:
            t.skip("the server speaks revision 3 too")
        await check_not_open(t, [("EIO", "3"), ("transport", "websocket")])


@case("eio4.refusal.upgrade-to-polling.not-open", covers=["EIO-ERR-22"], needs=["websocket"])
async def upgrade_to_polling_not_open(t: Bench) -> None:
    """A WebSocket request that names transport polling opens nothing that stays."""
    async with beside_a_session(t):
        query = [("EIO", "4"), ("transport", "polling")]
        answer = await t.eio.websocket(query)
        if isinstance(answer, Response):
            # Without the upgrade it is a handshake by polling, which may be granted.
            t.check(True, "no open WebSocket", answer)
        else:
            last = await until_end(t, answer)
            t.check(last is not None, "the WebSocket closed", last or "still open")


@case(
    "eio4.refusal.malformed-websocket-request.answered",
    covers=["EIO-ERR-24"],
    needs=["websocket"],
    variants={
        "no-key": [("Sec-WebSocket-Key", "")],
        "key-too-short": [("Sec-WebSocket-Key", "YWJj")],
        "version-12": [("Sec-WebSocket-Version", "12")],
        "other-protocol": [("Upgrade", "foo")],
    },
    also="eio3",
)
async def malformed_websocket_request_answered(t: Bench, headers: list[tuple[str, str]]) -> None:
    """A WebSocket request that is not in order is answered with an error status."""
    async with beside_a_session(t):
        answer = await t.eio.websocket(headers=headers)
        refused = isinstance(answer, Response) and answer.status >= 400
        shown = answer if isinstance(answer, Response) else "status 101"
        t.check(refused, "an error status", shown)


@case(
    "eio4.refusal.plain-request-for-websocket.session-lives",
    covers=["EIO-ERR-06", "EIO-ERR-12b", "EIO-ERR-01"],
    needs=["upgrade"],
    also="eio3",
)
async def plain_request_for_websocket(t: Bench) -> None:
    """A plain GET for WebSocket with the id of a polling session is refused, without harm."""
    peer = await t.eio.open()
    response = await t.eio.get(t.eio.query("websocket", peer.sid))
    check_refusal(t, response, 3, status="EIO-ERR-06", body="EIO-ERR-06")
    await t.expect_open(peer, rule="EIO-ERR-12b")


@case(
    "eio4.refusal.plain-request-of-websocket-session.answered",
    covers=["EIO-ERR-13", "EIO-ERR-12b", "EIO-ERR-06", "EIO-ERR-01"],
    needs=["websocket"],
    tags=["security"],
    variants={
        "get-polling": ("GET", "polling"),
        "post-polling": ("POST", "polling"),
        "get-websocket": ("GET", "websocket"),
        "post-websocket": ("POST", "websocket"),
    },
    also="eio3",
)
async def plain_request_of_websocket_session(t: Bench, variant: tuple[str, Transport]) -> None:
    """A plain request with the id of a WebSocket session is answered with a refusal."""
    method, transport = variant
    peer = await t.eio.open("websocket")
    body = b"4hello" if method == "POST" else None
    with t.expecting("EIO-ERR-13"):
        response = await t.eio.get(t.eio.query(transport, peer.sid), method=method, body=body)
    t.check(response.status >= 400, "a refusal", response)
    check_refusal(t, response, 3, status="EIO-ERR-06", body="EIO-ERR-06")
    await t.expect_open(peer, rule="EIO-ERR-12b")


@case(
    "eio4.refusal.method-of-session.session-lives",
    covers=["EIO-ERR-12", "EIO-ERR-12b"],
    needs=["polling", "echo"],
    variants=_METHODS,
    also="eio3",
)
async def method_of_session(t: Bench, method: str) -> None:
    """A request of a polling session by another method is refused, without harm."""
    peer = await t.eio.open()
    body = None if method == "HEAD" else b"4hello"
    with t.expecting("EIO-ERR-12b"):
        response = await t.eio.get(t.eio.query(sid=peer.sid), method=method, body=body)
    t.check(response.status >= 400, "an error status", response)
    t.observe("status", response.status)
    await t.nothing_more(peer, rule="EIO-ERR-12b")


@case(
    "eio4.refusal.revision-of-session.kept",
    covers=["EIO-QP-12b", "EIO-QP-12"],
    needs=["polling", "echo"],
    variants={"other": "3", "none": None},
)
async def revision_of_session_kept(t: Bench, revision: str | None) -> None:
    """A POST with another revision than that of its session is refused or read as before."""
    peer = await t.eio.open()
    query = _session(peer.sid, revision=revision)
    response = await t.eio.get(query, method="POST", body=b"4one")
    refused = response.status >= 400
    t.check(refused, "a refusal", response, rule="EIO-QP-12")
    with t.expecting("EIO-QP-12b"):
        before = await peer.sentinel()
        t.equal(before, [] if refused else ["4one"], "what came before the sentinel")
        await peer.send(b"\x01\x02\x03")
        t.equal(await peer.next(), b"\x01\x02\x03", "binary after it")
