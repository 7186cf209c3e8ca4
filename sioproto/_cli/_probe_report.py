"""What a probe found, in words, as JSON, and as a manifest of the conformance suite."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sioproto._cli._probe import ORIGIN, Findings
from sioproto._cli._terminal import Row, printable

LATE = 5.0
"""Beyond so many seconds a heartbeat is too slow for the suite's cases about it."""


def rows(findings: Findings) -> Iterator[Row]:
    """What there is to say of a server, line by line."""
    yield Row("Engine.IO", _revisions(findings))
    yield Row("transports", _transports(findings))
    yield Row("upgrade", _upgrade(findings))
    if (hello := findings.handshake) is not None:
        limit = "not told" if hello.max_payload is None else f"{hello.max_payload:,} bytes"
        yield Row("maxPayload", limit)
        yield Row("heartbeat", _heartbeat(findings))
    yield Row("Socket.IO", _socketio(findings))
    if findings.parser is not None:
        named = {"text": "the usual one: JSON, binary as attachments", "msgpack": "MessagePack"}
        yield Row("parser", named[findings.parser])
    if findings.transports.get("polling"):
        yield Row("CORS", _cors(findings))
        yield Row("cookies", ", ".join(map(_without_value, findings.cookies)) or "none")
    if findings.server is not None:
        yield Row("server", findings.server)
    if findings.seconds is not None:
        yield Row("handshake in", f"{findings.seconds * 1000:.0f} ms, with the connection")


def _revisions(findings: Findings) -> str:
    spoken = [str(revision) for revision, yes in findings.revisions.items() if yes]
    words = "revision " + " and ".join(sorted(spoken, reverse=True)) if spoken else "none"
    refused = [
        f"{revision} ({findings.refusals.get(revision, 'refused')})"
        for revision, yes in findings.revisions.items()
        if not yes
    ]
    return f"{words}; not {', '.join(refused)}" if refused else words


def _transports(findings: Findings) -> str:
    words = [name for name, yes in findings.transports.items() if yes]
    refused = [
        f"{name} ({findings.transport_troubles[name]})"
        if name in findings.transport_troubles
        else name
        for name, yes in findings.transports.items()
        if not yes
    ]
    told = ", ".join(words) or "none"
    return f"{told}; not {', '.join(refused)}" if refused else told


def _upgrade(findings: Findings) -> str:
    offered = findings.handshake is not None and "websocket" in findings.handshake.upgrades
    if findings.upgrade:
        return "works" if offered else "works, though it is not offered"
    if findings.upgrade is None:
        return "not tried: it takes both transports"
    how = "offered, but fails" if offered else "not offered"
    return f"{how}: {findings.upgrade_trouble}"


def _heartbeat(findings: Findings) -> str:
    hello = findings.handshake
    assert hello is not None
    pinger = "server" if findings.revisions.get(4) else "client"
    words = f"the {pinger} pings every {hello.ping_interval:g} s, "
    words += f"an answer may take {hello.ping_timeout:g} s"
    if findings.ping is None:
        return words if pinger == "client" else f"{words} (not waited for: --heartbeat does)"
    return f"{words}; a ping came" if findings.ping else f"{words}; no ping came"


def _socketio(findings: Findings) -> str:
    name = findings.namespace
    if not findings.socketio:
        return "no: nothing answers a CONNECT packet as Socket.IO does"
    if findings.admitted:
        return f"yes; {name} lets one in"
    return f"yes; {name} refuses: {findings.refusal}"


def _cors(findings: Findings) -> str:
    origin = findings.cors.get("allow-origin")
    if origin is None:
        return "no page of another origin may read the answers"
    words = {"*": "any page may read the answers", ORIGIN: "any origin that asks is allowed"}
    told = words.get(origin, f"pages of {origin} may read the answers")
    return f"{told}, and send cookies" if _credentials(findings) else told


def _credentials(findings: Findings) -> bool:
    return findings.cors.get("allow-credentials", "").lower() == "true"


def _without_value(cookie: str) -> str:
    """A cookie's name and attributes. What it holds may be a secret."""
    first, *attributes = cookie.split(";")
    return "; ".join([first.partition("=")[0].strip(), *(part.strip() for part in attributes)])


def wrong(findings: Findings) -> list[str]:
    """What looks wrong, in words."""
    found: list[str] = []
    if findings.trouble is not None:
        return found
    hello = findings.handshake
    if findings.handshake_trouble is not None:
        found.append(f"The open packet makes no sense: {findings.handshake_trouble}.")
    if not findings.sticky:
        found.append(
            "A session is unknown on the next connection: several processes serve this URL, and "
            "requests of one session do not reach the same one. Sticky sessions are needed for "
            "polling."
        )
    elif findings.sticky_trouble is not None and not findings.socketio:
        found.append(f"A session opens, but then {findings.sticky_trouble}.")
    if hello is not None and "websocket" in hello.upgrades and findings.upgrade is False:
        found.append(
            "WebSocket is offered, but the upgrade fails: most often something between here and "
            "the server does not pass WebSockets on. Clients stay on polling, which is slower."
        )
    if hello is not None and hello.ping_interval + hello.ping_timeout > 300:
        found.append(
            "A lost client is noticed after more than five minutes: pingInterval and pingTimeout "
            "are long."
        )
    if findings.ping is False:
        found.append("The server's ping did not come when it was due, so clients will leave.")
    if not findings.socketio and not findings.gave_up:
        found.append("Engine.IO is there, but no Socket.IO on top of it answers.")
    if findings.unknown_sid == 0:
        found.append("A request for a session that there is not is never answered.")
    elif findings.unknown_sid is not None and findings.unknown_sid < 400:
        found.append(
            f"A request for a session that there is not is answered with HTTP status "
            f"{findings.unknown_sid} instead of 400."
        )
    found += _wrong_with_headers(findings)
    if findings.gave_up:
        found.append("The server is so slow that not everything could be asked: try --timeout.")
    return found


def _wrong_with_headers(findings: Findings) -> Iterator[str]:
    origin = findings.cors.get("allow-origin")
    if _credentials(findings) and origin == ORIGIN:
        yield (
            "Any page of any site may connect with the cookies of whoever visits it: CORS allows "
            "every origin, and credentials."
        )
    elif _credentials(findings) and origin == "*":
        yield "CORS allows credentials and every origin, which browsers refuse together."
    if origin is not None and "," in origin:
        yield "CORS names several origins in one header, which browsers refuse."
    for cookie in findings.cookies:
        name = _without_value(cookie).partition(";")[0]
        attributes = [part.strip().lower() for part in cookie.split(";")[1:]]
        if "samesite=none" in attributes and "secure" not in attributes:
            yield f"The cookie {name} has SameSite=None without Secure, so browsers drop it."


def as_json(findings: Findings) -> dict[str, Any]:
    """What was found, for programs. Times are seconds."""
    hello = findings.handshake
    return {
        "url": findings.url,
        "path": findings.path,
        "namespace": findings.namespace,
        "trouble": findings.trouble,
        "revisions": {str(key): yes for key, yes in sorted(findings.revisions.items())},
        "refusals": {str(key): text for key, text in sorted(findings.refusals.items())},
        "transports": findings.transports,
        "upgrade": findings.upgrade,
        "handshake": None
        if hello is None
        else {
            "upgrades": list(hello.upgrades),
            "ping_interval": hello.ping_interval,
            "ping_timeout": hello.ping_timeout,
            "max_payload": hello.max_payload,
        },
        "ping": findings.ping,
        "socketio": findings.socketio,
        "parser": findings.parser,
        "admitted": findings.admitted,
        "refusal": findings.refusal,
        "cors": findings.cors,
        "cookies": [_without_value(cookie) for cookie in findings.cookies],
        "server": findings.server,
        "seconds": findings.seconds,
        "wrong": wrong(findings),
    }


def manifest(findings: Findings, authority: str) -> str:
    """A draft of a manifest of the conformance suite, in TOML."""
    url, path = findings.url, findings.path
    scheme = "https" if url.startswith(("https:", "wss:")) else "http"
    hello = findings.handshake
    lines = [
        "# What is left out here the suite finds out by itself.",
        f"name = {_toml(authority)}",
    ]
    if findings.server is not None:
        lines.append(f"version = {_toml(findings.server)}")
    lines.append(f"url = {_toml(f'{scheme}://{authority}')}")
    paths = {"socket": path if findings.socketio else None, "engine": None}
    if not findings.socketio:
        paths["engine"] = path
    told = [f"{name} = {_toml(value)}" for name, value in paths.items() if value is not None]
    lines += ["", "[paths]", *told, "", "[features]"]
    features: dict[str, bool] = {
        "polling": findings.transports.get("polling", False),
        "websocket": findings.transports.get("websocket", False),
        "upgrade": bool(findings.upgrade),
    }
    if hello is not None:
        features["fast-heartbeat"] = hello.ping_interval + hello.ping_timeout <= LATE
    if not findings.socketio:
        features["app"] = False
    elif not findings.echo:
        features["echo"] = False
    lines += [f"{name} = {str(value).lower()}" for name, value in sorted(features.items())]
    return "\n".join(lines) + "\n"


def _toml(text: str) -> str:
    """A string of TOML: JSON's escapes are among its own, as long as it is all of one plane."""
    return json.dumps(printable(text), ensure_ascii=False)
