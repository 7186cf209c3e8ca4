"""``sioproto decode``: packets, payloads, pasted traces, and where something in them is wrong."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sioproto._cli._explain import Explainer, Item, _split_v3
from sioproto.engineio import Message, PacketType
from sioproto.engineio._payload_v3 import (
    decode_payload_v3,
    encode_binary_payload_v3,
    encode_payload_v3,
)
from sioproto.socketio import MsgpackParser, Packet
from sioproto.socketio import PacketType as SocketType
from tests.cli.support import invoke


def explain(*lines: str, **options: Any) -> list[Item]:
    explainer = Explainer(**options)
    return [item for number, line in enumerate(lines, 1) for item in explainer.line(number, line)]


def one(line: str, **options: Any) -> Item:
    (item,) = explain(line, **options)
    return item


# Packets


@pytest.mark.parametrize("kind", PacketType)
def test_each_type_of_engine_io(kind: PacketType) -> None:
    item = one(f"{int(kind)}", layer="engine")
    if kind is PacketType.OPEN:
        assert item.problem is not None
        assert item.problem.rule == "EIO-CLI-09"
    else:
        assert item.problem is None
    assert item.engine is not None
    assert item.engine.type is kind


@pytest.mark.parametrize(
    ("line", "kind", "namespace", "id", "data"),
    [
        ('40{"token":"t"}', SocketType.CONNECT, "/", None, {"token": "t"}),
        ("41/admin,", SocketType.DISCONNECT, "/admin", None, None),
        ('42["a",1]', SocketType.EVENT, "/", None, ["a", 1]),
        ('42/admin,12["a"]', SocketType.EVENT, "/admin", 12, ["a"]),
        ("430[]", SocketType.ACK, "/", 0, []),
        ('44{"message":"no"}', SocketType.CONNECT_ERROR, "/", None, {"message": "no"}),
        # Without Engine.IO around them.
        ('2["a",1]', SocketType.EVENT, "/", None, ["a", 1]),
        ('2/admin,1["a"]', SocketType.EVENT, "/admin", 1, ["a"]),
        ("31[true]", SocketType.ACK, "/", 1, [True]),
        ("0/admin,", SocketType.CONNECT, "/admin", None, None),
        ('0{"token":"t"}', SocketType.CONNECT, "/", None, {"token": "t"}),
        ("1/admin,", SocketType.DISCONNECT, "/admin", None, None),
        ('4{"message":"no"}', SocketType.CONNECT_ERROR, "/", None, {"message": "no"}),
    ],
)
def test_packets_of_socket_io(
    line: str, kind: SocketType, namespace: str, id: int | None, data: Any
) -> None:
    packet = one(line).socket
    assert packet is not None
    assert (packet.type, packet.namespace, packet.id) == (kind, namespace, id)
    if data is not None:
        assert packet.data == data
    assert one(line).problem is None


def test_attachments_follow() -> None:
    text, first, second = explain(
        '452-["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]', "bAQ==", "0x0203"
    )
    assert text.missing == 2
    assert (first.missing, first.attachment_of) == (1, 1)
    assert second.attachment_of == 1
    assert second.socket is not None
    assert second.socket.data == ["a", b"\2\3", b"\1"]


def test_each_direction_is_a_stream_of_its_own() -> None:
    items = explain(
        '-> 451-["a",{"_placeholder":true,"num":0}]',
        '<- 42["b"]',
        "-> <Buffer 01 02>",
        "<- 2",
    )
    assert [item.problem for item in items] == [None] * 4
    assert [item.direction for item in items] == ["sent", "received", "sent", "received"]
    assert items[2].socket is not None
    assert items[2].socket.data == ["a", b"\1\2"]


@pytest.mark.parametrize(
    ("line", "rule", "column"),
    [
        ("x", "EIO-PKT-03", 1),
        ("9", "EIO-PKT-03", 1),
        ("b!!", "EIO-PKT-06", 2),
        ('0{"sid":"","upgrades":[]}', "EIO-CLI-09", 2),
        ('48["a"]', "SIO-DEC-01", 2),
        ('45["a"]', "SIO-DEC-05", 3),
        ('450-["a"]', "SIO-BIN-12", 3),
        ('42/admin,99999999999999999["a"]', "SIO-DEC-12", 10),
        ('42["a" 1]', "SIO-DEC-16", 8),
        ('42/admin,7["a", nonsense]', "SIO-DEC-16", 17),
        ('42["a"', "SIO-DEC-16", 7),
        ('42["a",NaN]', "SIO-DEC-17", 3),
        ("42[]", "SIO-VAL-03", 3),
        ('42/x,["connect"]', "SIO-VAL-06", 6),
        ("431{}", "SIO-VAL-07", 4),
        ("40[]", "SIO-VAL-01", 3),
        ("41{}", "SIO-VAL-02", 3),
        ("44[]", "SIO-VAL-08", 3),
        ("bAQ==", "SIO-BIN-16", 1),
        ('9:42["a"]', "EIO-P3-05", 1),
        ("2:402:4", "EIO-P3-05", 5),
        ('-> 42["a" 1]', "SIO-DEC-16", 11),
        ('42["a"]\x1e42[]', "SIO-VAL-03", 11),
        ('42["a"]\\x1e42[]', "SIO-VAL-03", 14),
        ('2:407:42["a"]5:42[]x', None, None),
    ],
)
def test_errors_name_the_rule_and_the_place(line: str, rule: str | None, column: int) -> None:
    problems = [item.problem for item in explain(line) if item.problem is not None]
    assert problems
    if rule is not None:
        assert problems[0].rule == rule
    if column is not None:
        assert problems[0].column == column


def test_text_while_attachments_are_missing() -> None:
    begun, text, after = explain('451-["a",{"_placeholder":true,"num":0}]', '42["b"]', '42["c"]')
    assert begun.problem is None
    assert text.problem is not None
    assert text.problem.rule == "SIO-BIN-15"
    assert text.socket is not None  # it is explained all the same
    assert text.socket.data == ["b"]
    assert after.problem is None


def test_attachments_that_do_not_come() -> None:
    explainer = Explainer()
    explainer.line(1, '452-["a"]')
    explainer.line(2, "0x01")
    (problem,) = explainer.end()
    assert problem.message == "line 1 announces 2 attachments, and 1 came"


# Payloads


def test_a_payload_of_revision_4() -> None:
    items = explain('40␞42["a"]\\x1eb AQ'.replace("b AQ", "2"))
    assert [item.text for item in items] == ["40", '42["a"]', "2"]


def test_payloads_of_revision_3() -> None:
    messages = [Message('42["été \U0001f600"]'), Message("2probe"), Message(b"\1\2")]
    text = encode_payload_v3(messages).decode()
    items = explain(text)
    assert [item.text for item in items] == ['42["été \U0001f600"]', "2probe", "b4AQI="]
    assert {item.revision for item in items} == {3}
    assert items[0].socket is not None
    assert items[0].socket.data == ["été \U0001f600"]
    assert items[2].problem is not None  # binary that no packet announced
    binary = encode_binary_payload_v3(messages)
    items = explain("0x" + binary.hex())
    assert items[0].socket is not None
    assert items[0].socket.data == ["été \U0001f600"]
    assert [item.engine.data for item in items if item.engine] == [
        '2["été \U0001f600"]',
        "probe",
        b"\1\2",
    ]


@given(st.lists(st.text(min_size=1).map(lambda text: "4" + text), min_size=1))
def test_payloads_of_revision_3_are_split_where_the_codec_splits_them(texts: list[str]) -> None:
    body = encode_payload_v3([Message(text) for text in texts])
    split = [item.text for item in _split_v3(1, body.decode(), 1)]
    assert split == [f"4{packet.data!s}" for packet in decode_payload_v3(body)] == texts


# What is around packets


@pytest.mark.parametrize(
    ("line", "text", "direction"),
    [
        ('> 42["a"]', '42["a"]', "sent"),
        ('→ 42["a"]', '42["a"]', "sent"),
        ('client: 42["a"]', '42["a"]', "sent"),
        ('[12:00:00.123] <- 42["a"]', '42["a"]', "received"),
        ('2024-05-01T12:00:00.123Z received 42["a"]', '42["a"]', "received"),
        ('42["a"]\t7\t12:00:00.123', '42["a"]', None),
        ('  engine:ws received "42["a"]" +1ms', '42["a"]', "received"),
        (
            'engine.io-client:socket socket receive: type "message", data "2["a"]" +0ms',
            '42["a"]',
            "received",
        ),
        (
            'engine:socket sending packet "message" (2["a"])',
            '42["a"]',
            "sent",
        ),
        ('abc: Received packet MESSAGE data 2["a"]', '42["a"]', "received"),
        ("abc: Sending packet PING data None", "2", "sent"),
        ('"42[\\"a\\"]"', '42["a"]', None),
        ("'42[\"a\"]'", '42["a"]', None),
        ("<- <Buffer 01 02>", b"\1\2", "received"),
        ("0x01ff", b"\1\xff", None),
        ("hex:01 FF", b"\1\xff", None),
        ("01 ff 03", b"\1\xff\3", None),
        ("base64:Af8=", b"\1\xff", None),
        ("b'\\x01\\xff'", b"\1\xff", None),
    ],
)
def test_what_is_around_a_packet_is_passed_over(
    line: str, text: str | bytes, direction: str | None
) -> None:
    item = one(line)
    assert (item.text, item.direction) == (text, direction)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0x1", "not hexadecimal"),
        ("hex:zz", "not hexadecimal"),
        ("base64:!", "not base64"),
        ("'42", "quotes do not match"),
        ("<Buffer 01 02 ... 8 more bytes>", "cut short"),
    ],
)
def test_what_cannot_be_read(line: str, words: str) -> None:
    item = one(line)
    assert item.problem is not None
    assert words in item.problem.message


@given(st.lists(st.text() | st.binary().map(repr) | st.from_regex(r"[0-6b]{1,3}[^\n]*")))
def test_no_input_raises(lines: list[str]) -> None:
    for options in ({}, {"revision": 3}, {"layer": "socket"}, {"parser": MsgpackParser()}):
        explain(*lines, **options)


def test_depth_is_no_problem_of_ours() -> None:
    for line in ("42" + "[" * 100_000, '"' + "[" * 100_000, "'" + "(" * 10_000, "9" * 100_000):
        assert one(line).problem is not None


def test_messagepack() -> None:
    (message,) = MsgpackParser().encode(Packet(SocketType.EVENT, data=["a", b"\1"]))
    assert isinstance(message, bytes)
    line = "b" + base64.b64encode(message).decode()
    item = one(line, parser=MsgpackParser())
    assert item.socket is not None
    assert item.socket.data == ["a", b"\1"]
    assert any("--parser msgpack" in note for note in one(line).notes)


# The command


def test_what_people_see() -> None:
    result = invoke("decode", '42/admin,7["hello",{"a":1}]', "2probe", "")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        '1: 42/admin,7["hello",{"a":1}]',
        "  Engine.IO     message (4)",
        "  Socket.IO     EVENT in /admin, asks for acknowledgement 7",
        '  event         "hello"',
        '  arguments     {"a": 1}',
        "2: 2probe",
        "  Engine.IO     ping (2)",
        "                asks whether the new transport works",
    ]
    result = invoke("decode", '42["a",]')
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1].startswith("  wrong         column ")
    assert result.stdout.splitlines()[-1].endswith(" [SIO-DEC-16]")


def test_what_a_program_gets() -> None:
    result = invoke("decode", "--json", '42["a"]', "48", '451-["b"]')
    assert result.exit_code == 1
    first, second, third, last = (json.loads(line) for line in result.stdout.splitlines())
    assert first["engine"] == {"revision": 4, "type": "message", "data": '2["a"]'}
    assert first["socket"] == {
        "type": "EVENT",
        "namespace": "/",
        "id": None,
        "missing": 0,
        "data": ["a"],
    }
    assert (second["problem"]["rule"], second["problem"]["column"]) == ("SIO-DEC-01", 2)
    assert third["socket"]["missing"] == 1
    assert last["problem"]["message"] == "line 3 announces 1 attachment, and none came"


def test_input_from_a_pipe_and_a_file(tmp_path: Path) -> None:
    trace = '# a trace\n\n-> 40\r\n<- 40{"sid":"x"}\n'
    for result in (
        invoke("decode", input=trace),
        invoke("decode", "--file", "-", input=trace),
    ):
        assert result.exit_code == 0
        assert "3: -> 40\n" in result.stdout
        assert '4: <- 40{"sid":"x"}\n' in result.stdout
    path = tmp_path / "trace"
    path.write_bytes(trace.encode())
    assert invoke("decode", "--file", str(path)).stdout == result.stdout
    path.write_bytes(encode_binary_payload_v3([Message('42["a"]'), Message(b"\1")]))
    result = invoke("decode", "--file", str(path))
    assert "binary message of revision 3, 1 byte" in result.stdout
    path.write_bytes(b"\xff\xfe\n")
    assert invoke("decode", "--file", str(path)).exit_code == 1


def test_nothing_of_a_peer_commands_the_terminal() -> None:
    result = invoke("decode", '42["\x1b[2J\\u001b]0;x\x07\u202e"]', "\x1b[31mred")
    assert not set(result.output) & {"\x1b", "\x07", "\u202e"}


def test_long_packets_are_cut_short_unless_all_is_wanted() -> None:
    line = json.dumps(["a", "x" * 10_000])
    assert len(invoke("decode", "42" + line).stdout) < 5_000
    assert len(invoke("decode", "--full", "42" + line).stdout) > 20_000


@pytest.mark.parametrize(
    "arguments",
    [("--file", "nowhere"), ("40", "--file", "-"), ("--revision", "5"), ("--layer", "x"), ("",)],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert invoke("decode", *arguments, input="").exit_code == 2


def test_a_reader_that_goes_away_is_no_trouble() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "sioproto", "decode"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(b"42[]\n" * 10_000, timeout=20)
    assert err == b""
