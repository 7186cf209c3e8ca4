"""What a target offers is found out, or taken from its manifest."""

from __future__ import annotations

import pytest
import trio

from sioproto_conformance._probe import Survey, survey
from sioproto_conformance._target import Manifest, Target
from tests.conformance.scripted import OPEN, Answer, Request, Script, never, scripted

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
    assert found.lacking == DIALECTS | {
        "echo": "there is no Engine.IO at /engine.io/",
        "app": "the Socket.IO application is not the contract's",
        "fast-heartbeat": "the heartbeat takes 45 s to expire",
    }
    assert found.slow.lacking == found.lacking


@pytest.mark.parametrize("reply", ['42["auth",{}]', '42["message-back","probe"]', "431[]"])
async def test_one_sign_of_the_application_is_enough(reply: str) -> None:
    found = await _survey(
        serving("/engine.io/", "/socket.io/", replies=('40{"sid":"x"}', f"{reply}"))
    )
    assert found.lacking.keys() - DIALECTS == {"fast-heartbeat"}
    assert found.slow.has_app


async def test_a_fast_heartbeat_is_recognised() -> None:
    fast = OPEN.replace("25000", "300").replace("20000", "200")
    found = await _survey(serving("/engine.io/", open=fast))
    assert "fast-heartbeat" not in found.lacking
    assert found.lacking["app"] == "there is no Socket.IO at /socket.io/"


async def test_of_a_server_that_does_not_shake_hands_nothing_is_known() -> None:
    found = await _survey(serving())
    assert not found.shakes_hands
    assert found.lacking == {}
    assert (found.slow.engine_path, found.slow.socket_path) == ("/engine.io/", "/socket.io/")


async def test_the_manifest_is_believed() -> None:
    features = {"websocket": False, "app": True, "echo": True}
    manifest = Manifest(name="t", url="http://h:1", features=features)
    found = await _survey(serving("/socket.io/"), manifest)
    assert found.lacking["websocket"] == "the manifest says so"
    assert found.lacking["upgrade"] == "it takes both transports"
    assert "app" not in found.lacking


async def test_the_slow_endpoint_is_used_beside_the_fast_one() -> None:
    fast = OPEN.replace("25000", "300").replace("20000", "200")
    paths = ("/engine.io/", "/socket.io/")
    async with scripted(serving(*paths, open=fast)) as url, scripted(serving(*paths)) as slow_url:
        target = Target(Manifest(name="t", url=url, slow_url=slow_url), url, slow_url)
        found = await survey(target, slack=0.05)
    assert f":{found.fast.address.port}" in url
    assert f":{found.slow.address.port}" in slow_url
    assert "fast-heartbeat" not in found.lacking
