"""A recording sent again: the same answers from the same server, others from a broken one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import trio
from click.testing import CliRunner, Result

from sioproto_conformance import _cli
from sioproto_conformance._model import Verdict
from sioproto_conformance._replay import Answer, ReplayError, _replaced, check_replayable, replay
from sioproto_conformance._stream import CaseLine, read_report
from sioproto_conformance._target import built_in_manifest, running
from sioproto_conformance.peers.wire import Entry, parse_url
from tests.conformance.hostile import entry
from tests.conformance.scripted import OPEN, Request, scripted

CLOSES = "sio5.event.payload-not-array.closes[object,{}]"
POLLS = "eio4.polling.overlapping-get.closes-session"
UPGRADES = "eio4.upgrade.messages.by-websocket"
LONG = "sio5.event.arguments.echoed[long,websocket]"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run against a server that is there for as long as these tests last."""
    path = tmp_path_factory.mktemp("recording") / "run.jsonl"
    manifest = path.with_name("sut.toml")
    ids = [CLOSES.format(t) for t in ("polling", "websocket")]
    with running(built_in_manifest()) as target:
        urls = f'url = "{target.url}"\nslow-url = "{target.slow_url}"\n'
        manifest.write_text(f'name = "built in"\n{urls}', "utf-8")
        arguments = ("--plain", "--out", str(path), str(manifest))
        result = invoke("run", *arguments, *ids, POLLS, UPGRADES, LONG)
        assert result.exit_code == 0, result.output
        yield path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.toml"
    name = "event-without-array-ignored"
    command = [sys.executable, "-m", "sioproto_conformance", "fixture", "--broken", name]
    path.write_text(f'name = "broken"\n[launch]\ncommand = {json.dumps(command)}\n', "utf-8")
    return path


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(_cli.main, arguments)


@pytest.mark.parametrize(
    "id", [CLOSES.format("polling"), CLOSES.format("websocket"), POLLS, UPGRADES]
)
def test_the_same_server_answers_the_same(recording: Path, id: str) -> None:
    result = invoke("replay", str(recording), id)
    assert result.exit_code == 0, result.output
    count = len([e for e in line_of(recording, id).transcript if e.dir == "in"])
    assert result.output == f"{id}: {count} of {count} answers as they were\n"
    assert invoke("replay", str(recording), id, "--all").output.count("\n") == count + 1


def test_a_broken_server_answers_otherwise(recording: Path, broken: Path) -> None:
    id = CLOSES.format("websocket")
    result = invoke("replay", str(recording), id, str(broken), "--slack", "0.3")
    assert result.exit_code == 1, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("- bad.ws#1  close ")
    assert lines[1].startswith("+ bad.ws#1  nothing came within 0.6 s")
    assert lines[-1].startswith(f"{id}: ")


@pytest.mark.parametrize(
    ("id", "code", "message"),
    [
        (LONG, 4, "run the case instead"),
        ("eio4.polling.overlapping-gets", 2, f"did you mean {POLLS}?"),
    ],
)
def test_what_cannot_be_sent_again_is_refused(
    recording: Path, id: str, code: int, message: str
) -> None:
    result = invoke("replay", str(recording), id)
    assert result.exit_code == code
    assert message in result.output


def test_a_target_that_is_not_there_has_its_code(recording: Path) -> None:
    result = invoke("replay", str(recording), POLLS, "http://127.0.0.1:1")
    assert result.exit_code == 3
    assert "refused" in result.output


def line_of(path: Path, id: str) -> CaseLine:
    return next(line for line in read_report(path).cases if line.id == id)


def made_up(*transcript: Entry) -> CaseLine:
    return CaseLine(
        id="eio4.made.up",
        verdict=Verdict.PASS,
        reason="",
        rules=(),
        robustness=False,
        checks=(),
        observations=(),
        duration=0,
        attempts=1,
        round=1,
        expectation="",
        transcript=transcript,
    )


def request(text: str) -> Entry:
    return entry("a#1", "out", "http", text.encode())


def response(body: str, status: int = 200) -> Entry:
    head = f"HTTP/1.1 {status} OK\r\nContent-Length: {len(body)}\r\n\r\n"
    return entry("a#1", "in", "http", (head + body).encode())


async def test_ids_of_then_become_those_of_now() -> None:
    seen: list[Request] = []

    async def script(request: Request) -> tuple[int, str]:
        seen.append(request)
        return (200, OPEN) if request.opens else (200, request.body)

    opened = json.dumps({"sid": "LONG-AGO", "upgrades": []}, separators=(",", ":"))
    post = entry(
        "b#2",
        "out",
        "http",
        b"POST /?sid=LONG-AGO HTTP/1.1\r\nContent-Length: 9\r\n\r\n4LONG-AGO",
    )
    line = made_up(
        request("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        response("0" + opened),
        post,
        entry("b#2", "in", "http", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n4LONG-AGO"),
        entry("b#2", "out", "note", note="hung up"),
    )
    shown: list[Answer] = []
    async with scripted(script) as url:
        address = parse_url(url)
        answers = await replay(line, address, timeout=5, show=shown.append)
    assert shown == answers
    assert seen[1].query == {"sid": "A"}
    assert seen[1].body == "4A"
    assert answers[1].same
    assert not answers[0].same  # the other members of the open packet are not the same


async def test_what_does_not_come_is_a_difference() -> None:
    async def script(request: Request) -> tuple[int, str]:
        if request.opens:
            await trio.sleep_forever()
        return 404, "gone"

    line = made_up(
        request("GET /?sid=1 HTTP/1.1\r\n\r\n"),
        response("here"),
        entry("a#1", "in", "tcp", note="end of stream"),
        entry("b#2", "out", "http", b"GET / HTTP/1.1\r\n\r\n"),
        entry("b#2", "in", "http", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    )
    async with scripted(script) as url:
        answers = await replay(line, parse_url(url), timeout=0.2, show=lambda answer: None)
    assert [(answer.conn, answer.then, answer.now) for answer in answers] == [
        ("a#1", "status 200 | here", "status 404 | gone"),
        ("a#1", "end of stream", "end of stream"),
        ("b#2", "status 200 | ", "nothing came within 0.2 s"),
    ]


def test_a_length_that_was_right_stays_right() -> None:
    given = {"abc": "longer"}
    whole = b"POST /?sid=abc HTTP/1.1\r\ncontent-length: 4\r\n\r\n4abc"
    assert _replaced(whole, given) == (
        b"POST /?sid=longer HTTP/1.1\r\ncontent-length: 7\r\n\r\n4longer"
    )
    wrong = b"POST /?sid=abc HTTP/1.1\r\ncontent-length: 9\r\n\r\n4abc"
    assert b"content-length: 9\r\n" in _replaced(wrong, given)
    assert _replaced(b"4abc", given) == b"4longer"
    assert _replaced(whole, {}) == whole


def test_a_recording_without_frames_is_refused() -> None:
    with pytest.raises(ReplayError, match="no transcript: it was pass"):
        check_replayable(made_up())
    frame = entry("a#1", "out", "ws", b"4a", "text")
    with pytest.raises(ReplayError, match="before frames were"):
        check_replayable(made_up(frame))
    check_replayable(made_up(msgspec.structs.replace(frame, frame=(0x81, True))))
    check_replayable(made_up(entry("a#1", "out", "ws", b"\x81\x00", "raw")))
