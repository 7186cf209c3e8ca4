"""CORS and the session cookie, as far as a server has them: neither is on unless configured."""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._registry import case
from sioproto_conformance.cases.eio4._shared import neutral
from sioproto_conformance.peers.http1 import Response
from sioproto_conformance.peers.ws import WsConnection

_ORIGIN = ("Origin", "https://somebody-else.example")
_HANDSHAKE = [("EIO", "4"), ("transport", "polling")]


def _permits(response: Response) -> tuple[str | None, str | None]:
    """Return which origin an answer allows, and whether with credentials."""
    return (
        response.header("access-control-allow-origin"),
        response.header("access-control-allow-credentials"),
    )


@case(
    "eio4.headers.cors-of-errors.same",
    covers=["EIO-SEC-11", "EIO-CORS-03"],
    needs=["polling"],
    tags=["security"],
    variants={
        "unknown-session": [*_HANDSHAKE, ("sid", "nobody")],
        "unknown-transport": [("EIO", "4"), ("transport", "abc")],
    },
)
async def cors_of_errors_same(t: Bench, query: list[tuple[str, str]]) -> None:
    """An error allows the origins that any other answer allows, and no more."""
    opened = await t.eio.get(headers=[_ORIGIN])
    if opened.status != 200 or not opened.body.startswith(b"0{"):
        t.inconclusive(f"a request of another origin opens no session: {opened}")
    error = await t.eio.get(query, headers=[_ORIGIN])
    if error.status < 400:
        t.inconclusive(f"the request was not refused: {error}")
    allowed = _permits(opened)
    t.check(
        all(seen in (None, usual) for seen, usual in zip(_permits(error), allowed, strict=True)),
        f"no more than {allowed}",
        _permits(error),
    )
    t.equal(_permits(error), allowed, "origin and credentials", rule="EIO-CORS-03")
    own = _ORIGIN[1]
    t.observe(
        "another origin",
        {None: "not allowed", "*": "everybody allowed", own: "allowed"}.get(allowed[0], "fixed")
        + (", with credentials" if allowed[1] else ""),
    )


@case(
    "eio4.headers.preflight.answered",
    covers=["EIO-CORS-02", "EIO-CORS-01"],
    needs=["polling"],
)
async def preflight_answered(t: Bench) -> None:
    """A preflight is granted where the origin is allowed, and refused where there is no CORS."""
    opened = await t.eio.get(headers=[_ORIGIN])
    if opened.status != 200 or not opened.body.startswith(b"0{"):
        t.inconclusive(f"a request of another origin opens no session: {opened}")
    origin, _ = _permits(opened)
    asks = [
        _ORIGIN,
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type"),
    ]
    preflight = await t.eio.get([*_HANDSHAKE, ("sid", "nobody")], method="OPTIONS", headers=asks)
    if origin is None:
        t.equal(_permits(preflight), (None, None), "origin and credentials", rule="EIO-CORS-01")
        t.check(
            preflight.status >= 400 or preflight.header("vary") is not None,
            "a refusal",
            preflight,
            rule="EIO-CORS-01",
        )
        return
    t.check(preflight.status in (200, 204), "status 204, or 200", preflight)
    t.equal(_permits(preflight)[0], origin, "origin")
    methods = preflight.header("access-control-allow-methods") or ""
    t.check("POST" in methods or methods == "*", "POST among the methods", methods)
    headers = preflight.header("access-control-allow-headers") or ""
    t.check("content-type" in headers.lower() or headers == "*", "content-type", headers)


@case(
    "eio4.headers.post-answer.not-stored",
    covers=["EIO-HDR-02"],
    needs=["polling"],
    also="eio3",
)
async def post_answer_not_stored(t: Bench) -> None:
    """The answer to a POST forbids caches to store it, and says how long it is."""
    peer = await t.eio.open("polling")
    response = await peer.post(neutral(peer))
    t.require(response.status == 200, "status 200", response)
    caching = (response.header("cache-control") or "none").lower()
    t.check("no-store" in caching, "cache-control: no-store", caching)
    length = response.header("content-length")
    t.equal(length, str(len(response.body)), "content-length")


@case("eio4.headers.old-browser.filter-off", covers=["EIO-HDR-03"], needs=["polling"], also="eio3")
async def old_browser_filter_off(t: Bench) -> None:
    """A browser whose filter may take an echo for an attack is told not to use it."""
    agents = (
        "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
        "Mozilla/5.0 (compatible;MSIE 9.0;Windows NT 6.1)",
    )
    for agent in agents:
        header = ("User-Agent", agent)
        peer = await t.eio.open("polling", poll=False)
        opened = await t.eio.get(headers=[header])
        posted = await peer.post(neutral(peer), headers=[peer.framing.label, header])
        for response in (opened, posted):
            t.require(response.status == 200, "status 200", response)
            t.equal(response.header("x-xss-protection"), "0", "X-XSS-Protection")


@case(
    "eio4.headers.cookie.set-once",
    covers=["EIO-HDR-06", "EIO-HDR-06b", "EIO-HDR-07"],
    needs=["polling"],
)
async def cookie_set_once(t: Bench) -> None:
    """The session cookie is set by the handshake on polling, and by nothing else."""
    opened = await t.eio.get()
    cookie = opened.header("set-cookie")
    if cookie is None:
        t.skip("no cookie is set")
    peer = await t.eio.open("polling", poll=False)
    sid = opened.text.partition('"sid":"')[2].partition('"')[0]
    pair, *attributes = (part.strip() for part in cookie.split(";"))
    t.check(bool(sid) and pair.endswith(f"={sid}"), f"the value {sid}", pair, rule="EIO-HDR-06b")
    names = {attribute.partition("=")[0].lower() for attribute in attributes}
    t.check("httponly" in names, "HttpOnly", cookie, rule="EIO-HDR-07")
    name = pair.partition("=")[0]
    later = [await peer.post(b"4hello"), await t.eio.get([*_HANDSHAKE, ("sid", "nobody")])]
    if "websocket" not in t.site.lacking:
        answer = await t.eio.websocket()
        later.append(answer.response if isinstance(answer, WsConnection) else answer)
    for response in later:
        again = response.header("set-cookie") or ""
        t.check(not again.startswith(f"{name}="), f"no cookie {name}", again or None)
