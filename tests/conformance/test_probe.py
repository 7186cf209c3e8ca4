"""What a target offers is found out, or taken from its manifest."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from sioproto_conformance import _orders, zero_pass
from sioproto_conformance._fixture import Settings
from sioproto_conformance._probe import Survey, survey
from sioproto_conformance._registry import ORDERED
from sioproto_conformance._target import Manifest, Paths, Target
from sioproto_conformance.broken._trial import Server
from tests.conformance.scripted import OPEN, Answer, Request, Script, never, scripted


class _Again(trio.abc.Stream):
    """A stream whose first bytes have been looked at."""

    def __init__(self, stream: trio.abc.Stream, head: bytes) -> None:
        self._stream = stream
        self._head = head

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        head, self._head = self._head, b""
        return head or bytes(await self._stream.receive_some(max_bytes))

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


URLS = ("memory:fast", "memory:slow")
DIALECTS = {
    "eio3": "there is no Engine.IO 3 at /engine.io-3/ or /engine.io/",
    "sio4": "there is no Engine.IO 3 at /socket.io-4/ or /socket.io/",
    "jsonp": "there is no JSONP at /engine.io-3/ or /engine.io/",
    "msgpack": "there is no MessagePack at /socket.io-msgpack/",
    "recovery": "there is no private id at /socket.io-recovery/",
}
"""What a server lacks that speaks nothing but the newest revisions."""


def serving(*paths: str, open: str = OPEN, replies: tuple[str, ...] = ()) -> Script:
    """Open sessions at these paths; a Socket.IO packet gets these replies, one a poll."""
    asked = trio.Event()
    left = list(replies)

    async def script(request: Request) -> Answer:
        if request.path not in paths:
            return 404, "not found"
        if request.opens:
            return 200, open
        if request.method == "POST":
            asked.set()
            return 200, "ok"
        await asked.wait()
        is_socket = request.path == "/socket.io/"
        return (200, left.pop(0)) if left and is_socket else await never()

    return script


async def _survey(script: Script, manifest: Manifest | None = None) -> Survey:
    async with scripted(script) as url:
        return await survey(Target(manifest or Manifest(name="t", url=url), url), slack=0.05)


async def test_a_server_without_the_contract_lacks_its_applications() -> None:
    found = await _survey(serving("/socket.io/"))
    assert found.shakes_hands
    assert found.slow.engine_path is None
    websocket = found.lacking["websocket"]
    assert websocket.startswith("a handshake over it fails: ")
    assert found.lacking == DIALECTS | {
        "echo": "there is no Engine.IO at /engine.io/",
        "app": "the Socket.IO application is not the contract's",
        "conformance": "there is no /conformance: expected a packet; nothing came within 0.2 s",
        "fast-heartbeat": "the heartbeat takes 45 s to expire",
        "stop": "the manifest does not say how the server is started",
        "websocket": websocket,
        "upgrade": "it takes both transports",
    }
    assert found.claimed == frozenset()
    assert found.slow.lacking == found.lacking


@pytest.mark.parametrize("reply", ['42["auth",{}]', '42["message-back","probe"]', "431[]"])
async def test_one_sign_of_the_application_is_enough(reply: str) -> None:
    found = await _survey(
        serving("/engine.io/", "/socket.io/", replies=('40{"sid":"x"}', f"{reply}"))
    )
    assert not {"app", "echo"} & found.lacking.keys()
    assert found.slow.has_app


async def test_a_fast_heartbeat_is_recognised() -> None:
    fast = OPEN.replace("25000", "300").replace("20000", "200")
    found = await _survey(serving("/engine.io/", open=fast))
    assert "fast-heartbeat" not in found.lacking
    assert found.lacking["app"] == "there is no Socket.IO at /socket.io/"


async def test_of_a_server_that_does_not_shake_hands_nothing_is_known() -> None:
    found = await _survey(serving())
    assert not found.shakes_hands
    assert list(found.lacking) == ["stop"]
    assert (found.slow.engine_path, found.slow.socket_path) == ("/engine.io/", "/socket.io/")


async def test_what_the_manifest_denies_is_not_used() -> None:
    manifest = Manifest(name="t", url="http://h:1", features={"websocket": False, "polling": False})
    found = await _survey(serving("/socket.io/"), manifest)
    assert found.lacking["websocket"] == "the manifest says so"
    assert found.lacking["upgrade"] == "it takes both transports"
    assert found.lacking["polling"] == "the manifest says so, though it is there"
    assert found.claimed == frozenset()


async def test_what_the_manifest_declares_and_the_server_does_not_show_is_claimed() -> None:
    features = {"echo": True, "app": True, "websocket": True, "polling": True}
    manifest = Manifest(name="t", url="http://h:1", features=features)
    found = await _survey(serving("/socket.io/"), manifest)
    assert found.claimed == {"echo", "app", "websocket"}
    why = "the manifest says that it is there, but there is no Engine.IO at /engine.io/"
    assert found.lacking["echo"] == why


def _survey_of_ours(paths: Paths | None = None, **features: bool) -> Survey:
    """What is found out about our own server, with what a manifest declares."""
    manifest = Manifest(name="t", url="x", paths=paths or Paths(), features=features)

    async def look() -> Survey:
        server = Server(Settings())
        target = Target(manifest, *URLS, find=server.find)
        async with server.serving():
            return await survey(target)

    return trio.run(look, clock=trio.testing.MockClock(autojump_threshold=0))


def test_an_application_that_takes_orders_says_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(_survey_of_ours().lacking) == ["stop"]
    monkeypatch.setattr(_orders, "FEATURES", {"acks", "bulk"})
    found = _survey_of_ours(acks=True, without=True)
    assert found.lacking["volatile"] == "/conformance says so"
    assert set(ORDERED) - found.lacking.keys() == {"acks", "bulk"}
    assert "conformance" not in found.lacking
    assert found.claimed == {"without"}


def test_a_server_that_knows_no_revision_4_is_asked_in_its_own() -> None:
    older = Paths(engine="/engine.io-3/", socket="/socket.io-4/")
    found = _survey_of_ours(older, eio4=False)
    assert found.lacking["eio4"] == "the manifest says so"
    assert not {"app", "echo", "eio3", "jsonp", "polling", "sio4", "upgrade"} & found.lacking.keys()
    # Where revision 3 is refused, nothing is opened: it is not asked in revision 4 after all.
    assert not _survey_of_ours(eio4=False).shakes_hands


def test_an_application_that_says_yes_to_everything_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Yes(set[str]):
        def __contains__(self, name: object) -> bool:
            return True

    monkeypatch.setattr(_orders, "FEATURES", Yes())
    found = _survey_of_ours()
    assert "says that it has telepathy" in found.lacking["conformance"]
    assert found.claimed == {"conformance"}


async def test_questions_are_asked_at_once_as_some_stay_unanswered() -> None:
    asking = most = 0
    known = serving("/engine.io/", "/socket.io/")

    async def script(request: Request) -> Answer:
        nonlocal asking, most
        if request.path in ("/engine.io/", "/socket.io/"):
            return await known(request)
        asking += 1
        most = max(most, asking)
        try:
            return await never()
        finally:
            asking -= 1

    found = await _survey(script)
    assert found.lacking.keys() >= DIALECTS.keys()
    # Both of Engine.IO 3, scripts, MessagePack, recovery.
    assert most == 5


async def test_a_websocket_of_whoever_ignores_the_revision_is_of_the_newest() -> None:
    """A WebSocket opens with the same bytes in both revisions: only a pong tells (EIO-HB-21)."""

    async def websockets_only(stream: trio.abc.Stream) -> None:
        head = bytes(await stream.receive_some(65536))
        if b"transport=websocket" in head:
            await zero_pass.opens_and_is_silent(_Again(stream, head))

    async with zero_pass.serving(websockets_only) as url:
        found = await survey(Target(Manifest(name="t", url=url), url), slack=0.05)
        assert "websocket" not in found.lacking
        assert found.lacking["eio3"] == DIALECTS["eio3"]
        assert found.lacking["sio4"] == DIALECTS["sio4"]
        # Who says that it is there is believed, and judged.
        manifest = Manifest(name="t", url=url, features={"eio3": True})
        found = await survey(Target(manifest, url), slack=0.05)
        assert "eio3" not in found.lacking


async def test_the_slow_endpoint_is_used_beside_the_fast_one() -> None:
    fast = OPEN.replace("25000", "300").replace("20000", "200")
    paths = ("/engine.io/", "/socket.io/")
    async with scripted(serving(*paths, open=fast)) as url, scripted(serving(*paths)) as slow_url:
        target = Target(Manifest(name="t", url=url, slow_url=slow_url), url, slow_url)
        found = await survey(target, slack=0.05)
    assert f":{found.fast.address.port}" in url
    assert f":{found.slow.address.port}" in slow_url
    assert "fast-heartbeat" not in found.lacking
