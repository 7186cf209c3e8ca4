"""Joining a namespace as its application decides: middleware, handshake, namespaces on request."""

from __future__ import annotations

from typing import Any

import trio

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import ORDERS, case
from sioproto_conformance.cases.sio5._steps import nobody_answers, same
from sioproto_conformance.cases.tier2._members import Group, expect_heard
from sioproto_conformance.peers import sio
from sioproto_conformance.peers.eio import TRANSPORTS, Transport

_FIELDS = {
    "headers": dict,
    "query": dict,
    "auth": dict,
    "time": str,
    "issued": int,
    "url": str,
    "address": str,
    "xdomain": bool,
    "secure": bool,
}


@case(
    "sio5.middleware.refusal.message-and-data",
    covers=["SIO-MW-02", "SIO-MW-03"],
    needs=["conformance", "middleware"],
    variants={
        "message": {"refuse": ["no, thank you"]},
        "data": {"refuse": ["no", {"a": [1, "é"]}]},
        "empty-message": {"refuse": [""]},
    },
)
async def refusal(t: Bench, auth: dict[str, Any]) -> None:
    """Who is refused reads why, with the data if there are any, and may try again."""
    group = Group(t)
    a, answer = await group.knock(auth=auth)
    t.equal(answer.type, sio.CONNECT_ERROR, "type of the answer")
    payload = answer.data if isinstance(answer.data, dict) else {}
    message, *data = auth["refuse"]
    t.equal(payload.get("message"), message, "the message")
    if data:
        t.check(same(payload.get("data"), data[0]), f"the data {data[0]}", payload)
    else:
        t.check("data" not in payload, "no data where there are none", payload, rule="SIO-MW-03")
    again = await a.peer.connect(a.nsp)
    t.equal(again.type, sio.CONNECT, "type of the answer to another try")


@case(
    "sio5.middleware.refusal.others-untouched",
    covers=["SIO-MW-02", "SIO-MW-09"],
    needs=["conformance", "middleware", "app"],
    variants=TRANSPORTS,
)
async def others_untouched(t: Bench, transport: Transport) -> None:
    """A refusal in one namespace leaves the others joined; its middleware is not theirs."""
    auth = {"refuse": ["no"]}
    main = await t.sio.open(transport)
    joined = await main.connect("/", auth)
    t.require(joined.type == sio.CONNECT, "the main namespace joined", joined, rule="SIO-MW-09")
    t.equal(main.auth.get("/"), auth, "what the main namespace was told", rule="SIO-MW-09")
    answer = await main.connect(ORDERS, auth)
    t.equal(answer.type, sio.CONNECT_ERROR, "type of the answer")
    await t.expect_open(main)


@case(
    "sio5.middleware.wait.answer-when-through",
    covers=["SIO-MW-01"],
    needs=["conformance", "middleware"],
)
async def answer_when_through(t: Bench) -> None:
    """The answer to a join comes when the middleware is through, and not before."""
    group = Group(t)
    began = trio.current_time()
    a, answer = await group.knock(auth={"wait": 300})
    took = trio.current_time() - began
    t.equal(answer.type, sio.CONNECT, "type of the answer")
    t.check(took >= 0.29, "an answer after 0.3 s", f"{took:.2f} s")
    t.equal((await a.about()).get("rooms"), [a.id], "the rooms of the socket")


@case(
    "sio5.middleware.wait.others-served",
    covers=["SIO-MW-01"],
    needs=["conformance", "middleware"],
)
async def others_served(t: Bench) -> None:
    """While the middleware of one client takes its time, other clients are served."""
    group = Group(t)
    b = await group.join()
    a = await group.approach()
    await a.peer.send(f'0{a.nsp},{{"wait":600}}')
    for word in ("x", "y"):
        await b.order("join", group(word))
    if any(str(seen.packet).startswith("40") for seen in a.peer.engine.seen):
        t.inconclusive("the orders took longer than the middleware")
    t.equal(len(await b.rooms()), 3, "how many rooms the other client has")
    answer = await a.peer.connect_answer(a.nsp)
    t.equal(answer.type, sio.CONNECT, "type of the answer when the middleware is through")


@case(
    "sio5.middleware.rooms.kept",
    covers=["SIO-MW-05"],
    needs=["conformance", "middleware"],
)
async def rooms_kept(t: Bench) -> None:
    """What a socket joins while its middleware runs it is in when it has been let in."""
    group = Group(t)
    b = await group.join()
    a = await group.join(auth={"join": [group("x"), group("y")]})
    t.equal(set(await a.rooms()), {a.id, group("x"), group("y")}, "the rooms")
    await b.emit("all", group("event"), 1, to=[group("y")])
    await expect_heard(t, a, [group("event"), 1])


@case(
    "sio5.middleware.rooms.left-when-refused",
    covers=["SIO-MW-05"],
    needs=["conformance", "middleware"],
)
async def rooms_left(t: Bench) -> None:
    """Who is refused is in no room: not in those that it joined while its middleware ran."""
    group = Group(t)
    b = await group.join()
    a, answer = await group.knock(auth={"join": [group("x")], "refuse": ["no"]})
    t.equal(answer.type, sio.CONNECT_ERROR, "type of the answer")
    await b.emit("all", group("event"), 1, to=[group("x")])
    before = [packet for packet in await nobody_answers(a.peer) if not a.is_noise(packet)]
    t.check(not before, "nothing for who was refused", before or None)
    if "bulk" not in t.site.lacking:
        found = await b.order("members", {"whom": "all", "to": [group("x")]})
        t.equal(found, [], "the members of the room")


@case(
    "sio5.middleware.gone-meanwhile.not-let-in",
    covers=["SIO-CONN-23"],
    needs=["conformance", "middleware", "bulk"],
)
async def gone_meanwhile(t: Bench) -> None:
    """A client that goes while its middleware runs is not let in, and leaves nothing behind."""
    group = Group(t)
    b = await group.join()
    a = await group.approach()
    await a.peer.send(f'0{a.nsp},{{"wait":200,"join":["{group("x")}"]}}')
    await b.order("log", [])
    await a.peer.engine.hang_up()
    await b.order("late", 400)
    found = await b.order("members", {"whom": "all", "to": [group("x")]})
    t.equal(found, [], "the members of the room that it joined")
    found = await b.order("members", {"whom": "others"})
    t.check(a.nsp == ORDERS or found == [], "nobody else in the namespace", found)


@case(
    "sio5.middleware.raises.refused",
    covers=["SIO-MW-07"],
    needs=["conformance", "middleware", "middleware-errors"],
)
async def raises_refused(t: Bench) -> None:
    """Who meets a bug in the middleware is refused, and does not read what it was."""
    group = Group(t)
    a = await group.approach()
    with t.expecting("SIO-MW-07"):
        answer = await a.peer.connect(a.nsp, {"raise": "a secret"})
    t.equal(answer.type, sio.CONNECT_ERROR, "type of the answer")
    t.check("secret" not in str(answer), "no word of what went wrong", answer)
    again = await a.peer.connect(a.nsp)
    t.equal(again.type, sio.CONNECT, "type of the answer to another try")


@case(
    "sio5.middleware.hangs.refused",
    covers=["SIO-MW-06"],
    needs=["conformance", "middleware", "fast-heartbeat"],
)
async def hangs_refused(t: Bench) -> None:
    """Who waits for middleware that takes too long is refused, and not left without an answer."""
    group = Group(t)
    a = await group.approach()
    with t.expecting("SIO-MW-06"):
        answer = await a.peer.connect(a.nsp, {"wait": int(3000 * t.timeout)})
    t.equal(answer.type, sio.CONNECT_ERROR, "type of the answer")


@case(
    "sio5.socket.state.connected",
    covers=["SIO-HS-12", "SIO-HS-13"],
    needs=["conformance", "handshake"],
)
async def state(t: Bench) -> None:
    """A socket that has been let in is connected, and not recovered."""
    group = Group(t)
    about = await (await group.join()).about()
    t.equal(about.get("connected"), True, "connected")
    t.equal(about.get("recovered"), False, "recovered", rule="SIO-HS-13")


@case(
    "sio5.handshake.fields.there",
    covers=["SIO-HS-01"],
    needs=["conformance", "handshake"],
    variants=TRANSPORTS,
)
async def fields(t: Bench, transport: Transport) -> None:
    """The handshake has the nine fields that the manual lists."""
    group = Group(t)
    a = await group.join(transport, auth={"key": "value"})
    found = (await a.about()).get("handshake")
    shapes = {name: type(value) for name, value in found.items()} if found else {}
    for name, kind in _FIELDS.items():
        t.check(shapes.get(name) is kind, f"{name}, a {kind.__name__}", shapes.get(name))


@case(
    "sio5.handshake.request.of-session",
    covers=["SIO-HS-02", "SIO-HS-04"],
    needs=["conformance", "handshake"],
    variants=TRANSPORTS,
)
async def of_session(t: Bench, transport: Transport) -> None:
    """Query, headers and URL are those of the request that opened the session."""
    group = Group(t)
    first = await group.join(transport, auth={"first": [1]})
    found = (await first.about()).get("handshake") or {}
    t.check(same(found.get("auth"), {"first": [1]}), "the auth of the join", found.get("auth"))
    query = found.get("query") or {}
    t.equal(query.get("transport"), transport, "the transport in the query")
    t.equal(query.get("EIO"), "4", "the revision in the query")
    headers = found.get("headers") or {}
    t.equal(headers.get("host"), t.site.address.authority, "the host among the headers")
    url = str(found.get("url"))
    t.check(url.startswith(f"{t.sio.path}?") and "EIO=4" in url, f"a URL at {t.sio.path}", url)
    t.equal(found.get("secure"), t.site.address.tls, "secure", rule="SIO-HS-04")


@case(
    "sio5.handshake.auth.of-join",
    covers=["SIO-HS-02"],
    needs=["conformance", "handshake", "dynamic-namespaces"],
)
async def auth_of_join(t: Bench) -> None:
    """Each namespace of a connection has the auth with which it was joined."""
    group = Group(t)
    a = await group.join(auth={"number": 1})
    await a.peer.connect(f"{a.nsp}second", {"number": 2})
    found = (await a.about()).get("handshake") or {}
    t.check(same(found.get("auth"), {"number": 1}), "the first auth", found.get("auth"))


@case(
    "sio5.dynamic-namespace.matching.joined",
    covers=["SIO-NSP-04", "SIO-NSP-13"],
    needs=["conformance", "dynamic-namespaces"],
    variants=TRANSPORTS,
)
async def matching_joined(t: Bench, transport: Transport) -> None:
    """A namespace is made for who asks for it, if its name matches, and shared with the next."""
    group = Group(t)
    a, answer = await group.knock(transport)
    t.equal(answer.type, sio.CONNECT, "type of the answer")
    t.equal(answer.nsp, a.nsp, "the namespace of the answer")
    b = await group.join(transport)
    await a.emit("all", group("event"), 1)
    for member in (a, b):
        await expect_heard(t, member, [group("event"), 1], rule="SIO-NSP-13")


@case(
    "sio5.dynamic-namespace.together.shared",
    covers=["SIO-NSP-13"],
    needs=["conformance", "dynamic-namespaces"],
)
async def together_shared(t: Bench) -> None:
    """Two clients that ask for a new namespace at the same moment are in the same one."""
    group = Group(t)
    a, b = await group.approach(), await group.approach()
    for member in (a, b):
        await member.peer.send(f"0{member.nsp},")
    for member in (a, b):
        answer = await member.peer.connect_answer(member.nsp)
        t.require(answer.type == sio.CONNECT, "to be let in", answer)
    await a.emit("others", group("event"), 1)
    await expect_heard(t, b, [group("event"), 1])
    await expect_heard(t, a)


@case(
    "sio5.dynamic-namespace.no-match.refused",
    covers=["SIO-NSP-05", "SIO-NSP-04"],
    needs=["conformance", "dynamic-namespaces"],
    variants={
        "empty-word": f"{ORDERS}/",
        "more-behind": f"{ORDERS}/a/b",
        "more-before": f"/x{ORDERS}/a",
        "other-character": f"{ORDERS}/a-b",
    },
)
async def no_match_refused(t: Bench, nsp: str) -> None:
    """A namespace whose name does not match is refused, and the connection stays."""
    group = Group(t)
    a, answer = await group.knock(nsp=nsp)
    t.equal(answer.type, sio.CONNECT_ERROR, "type of the answer")
    t.equal(answer.nsp, nsp, "the namespace of the answer")
    again = await a.peer.connect(group.nsp)
    t.equal(again.type, sio.CONNECT, "type of the answer for a name that matches")


@case(
    "sio5.dynamic-namespace.middleware.inherited",
    covers=["SIO-NSP-07"],
    needs=["conformance", "dynamic-namespaces", "middleware"],
)
async def middleware_inherited(t: Bench) -> None:
    """What is made on request has the middleware of what it was made from."""
    group = Group(t)
    _, answer = await group.knock(auth={"refuse": ["no", 1]})
    t.equal(answer.type, sio.CONNECT_ERROR, "type of the answer")
    t.check(same(answer.data, {"message": "no", "data": 1}), "the refusal", answer)
    a = await group.join()
    await expect_heard(t, a)


@case(
    "sio5.dynamic-namespace.function.decides",
    covers=["SIO-NSP-05"],
    needs=["conformance", "function-namespaces"],
    variants=TRANSPORTS,
)
async def function_decides(t: Bench, transport: Transport) -> None:
    """A function grants a namespace or denies it, by the name and the auth of who asks."""
    group = Group(t)
    nsp = f"{ORDERS}-open/{group.mark}"
    a, answer = await group.knock(transport, nsp=nsp, auth={"open": False})
    t.equal(answer.type, sio.CONNECT_ERROR, "type of the answer for who is not to have it")
    answer = await a.peer.connect(nsp, {"open": True})
    t.require(answer.type == sio.CONNECT, "to be let in", answer)
    t.equal(answer.nsp, nsp, "the namespace of the answer")
    await a.emit("all", group("event"), 1)
    await expect_heard(t, a, [group("event"), 1])
