"""Bugs put into the library on purpose, in one line each: a target finds each of them."""

from __future__ import annotations
import __future__

import importlib
import inspect
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from fuzzing.bounds import TooExpensive
from fuzzing.target import Target
from tests.fuzz.targets import inputs, load

CHANGED = 2_000
"""So many inputs are tried besides seeds and corpus: some seconds."""


@dataclass(frozen=True)
class Bug:
    """One line of one function, and what stands there instead."""

    what: str
    target: str
    """The target that finds it."""
    where: str
    """Module below ``sioproto``, and the function."""
    line: str
    instead: str

    def __str__(self) -> str:
        return self.what

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Break the library for a while."""
        module_name, _, path = self.where.partition(":")
        module: Any = importlib.import_module(f"sioproto.{module_name}")
        function: Any = module
        for name in path.split("."):
            function = getattr(function, name)
        original = function.__code__
        function.__code__ = self._mutant(function, vars(module))
        try:
            yield
        finally:
            function.__code__ = original

    def _mutant(self, function: Any, names: dict[str, Any]) -> Any:
        lines = textwrap.dedent(inspect.getsource(function)).splitlines()
        found = [number for number, line in enumerate(lines) if line.strip() == self.line]
        assert len(found) == 1, f"{self.where}: {self.line!r} stands there {len(found)} times"
        line = lines[found[0]]
        lines[found[0]] = line[: len(line) - len(line.lstrip())] + self.instead
        made: dict[str, Any] = {}
        flags = __future__.annotations.compiler_flag
        exec(compile("\n".join(lines), function.__code__.co_filename, "exec", flags), names, made)
        return made[function.__name__].__code__


BUGS = [
    Bug(
        "the number of a placeholder is not checked",
        "socket_decoder",
        "socketio._decoder:_stands_for",
        "if type(number) is not int or not 0 <= number < len(attachments):",
        "if type(number) is not int or number >= len(attachments):",
    ),
    Bug(
        "True is the number of a placeholder",
        "socket_decoder",
        "socketio._decoder:_stands_for",
        "if type(number) is not int or not 0 <= number < len(attachments):",
        "if not isinstance(number, int) or not 0 <= number < len(attachments):",
    ),
    Bug(
        "1 is as good as true in a placeholder",
        "socket_decoder",
        "socketio._decoder:_fill_in",
        'if item.get("_placeholder") is True:',
        'if item.get("_placeholder") == True:',
    ),
    Bug(
        "an event name may be true",
        "socket_packet",
        "socketio._packet:_check_payload",
        "elif isinstance(name, bool) or not isinstance(name, int | float):",
        "elif not isinstance(name, int | float):",
    ),
    Bug(
        "there is no limit for attachments",
        "socket_packet",
        "socketio._packet:_count",
        "if len(digits) > 9 or int(digits) > max_attachments:",
        "if len(digits) > 9:",
    ),
    Bug(
        "no attachments are announced, and waited for",
        "socket_decoder",
        "socketio._packet:_count",
        "if not digits:",
        "if False:",
    ),
    Bug(
        "ids are read with a digit too many",
        "socket_packet",
        "socketio._packet:_id",
        "if len(digits) > 16 or int(digits) > MAX_ID:",
        "if len(digits) > 16:",
    ),
    Bug(
        "text is lost while attachments are missing",
        "socket_decoder",
        "socketio._decoder:Decoder.feed",
        'raise DecodeError("text while attachments are missing", rule="SIO-BIN-15")',
        "return None",
    ),
    Bug(
        "a packet begun is kept after an error",
        "socket_decoder",
        "socketio._decoder:Decoder.feed",
        "self.reset()",
        "pass",
    ),
    Bug(
        "NaN is JSON",
        "socket_packet",
        "_json:_refuse",
        'raise DecodeError(f"{name} is not JSON", rule="SIO-DEC-17")',
        "return 0",
    ),
    Bug(
        "text is counted in characters",
        "payload_v3",
        "engineio._payload_v3:decode_payload_v3",
        "units = _BEYOND_BASIC_PLANE.sub(_split, text)  # one character for each code unit",
        "units = text",
    ),
    Bug(
        "text is counted in bytes when sent",
        "payload_v3",
        "engineio._payload_v3:_utf16_length",
        'return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2',
        "return len(text.encode())",
    ),
    Bug(
        "a length that lies is not noticed",
        "payload_v3",
        "engineio._payload_v3:decode_binary_payload_v3",
        "if position > len(body):",
        "if False:",
    ),
    Bug(
        "int() reads lengths, which knows other digits",
        "payload_v3",
        "engineio._payload_v3:decode_payload_v3",
        "header = _HEADER.match(units, position)",
        r'import re; header = re.compile(r"(\d{1,10}):").match(units, position)',
    ),
    Bug(
        "base64 may hold anything",
        "engine_packet",
        "engineio._packet:_decode_base64",
        "return binascii.a2b_base64(padded, strict_mode=True)",
        "return binascii.a2b_base64(padded)",
    ),
    Bug(
        "stray separators are dropped",
        "payload_v4",
        "engineio._payload:decode_payload",
        'for text in body.decode(errors="replace").split(SEPARATOR):',
        'for text in body.decode(errors="replace").strip(SEPARATOR).split(SEPARATOR):',
    ),
    Bug(
        "a frame may be empty",
        "framing",
        "engineio._framing:FrameDecoder.next_frame",
        "if not length:",
        "if False:",
    ),
    Bug(
        "a frame is looked for in half a head",
        "framing",
        "engineio._framing:FrameDecoder.next_frame",
        "if len(data) < start:",
        "if len(data) < 2:",
    ),
    Bug(
        "the time between pings is true",
        "request",
        "engineio._client_handshake:_seconds",
        "if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _DAY:",  # noqa: E501 # as it stands there
        "if not isinstance(value, int | float) or not 0 < value <= _DAY:",
    ),
    Bug(
        "an extension in a text is taken for one",
        "msgpack_packet",
        "socketio._msgpack:_ambiguous_leads",
        "position += following",
        "pass",
    ),
    Bug(
        "a batch while another is being written",
        "server_machine",
        "engineio._session:Session._send_batch",
        "self._busy = True",
        "self._busy = False",
    ),
    Bug(
        "acknowledgements are forgotten at the end",
        "server_machine",
        "socketio._connection:Connection._end",
        "for ack in socket.stop():",
        "for ack in socket.stop()[:0]:",
    ),
    Bug(
        "the client expects an acknowledgement twice",
        "client_machine",
        "socketio._client_socket:ClientSocket.take_ack",
        "return self._acks.pop(id, None)",
        "return self._acks.get(id)",
    ),
    Bug(
        "the client leaves its requests open",
        "client_machine",
        "engineio._client_session:ClientSession._end",
        "self._host.abort(exchange)",
        "pass",
    ),
]


def found(target: Target, *, changed: int = CHANGED) -> str:
    """What the target says of the first input that it does not like, or nothing."""
    for data in inputs(target, changed):
        try:
            target.judge(data)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_a_target_finds(bug: Bug) -> None:
    target = load(bug.target)
    with bug.planted():
        assert found(target)


COSTLY = [
    Bug(
        "all that was received is looked at for each piece",
        "framing",
        "engineio._framing:FrameDecoder.receive",
        "self._data += data",
        "for byte in self._data:\n        assert byte >= 0\n    self._data += data",
    ),
    Bug(
        "a payload is read to its end for each packet",
        "payload_v3",
        "engineio._payload_v3:decode_payload_v3",
        "frame = units[start:position]",
        "rest = [unit for unit in units[start:]]; frame = ''.join(rest[:position - start])",
    ),
    Bug(
        "room is made for items that never come",
        "msgpack_packet",
        "socketio._msgpack:MsgpackDecoder._unpack",
        "if len(message) > MANY:",
        "if False:",
    ),
]


@pytest.mark.parametrize(
    ("bug", "size"), list(zip(COSTLY, (800, 1_500, 3_000), strict=True)), ids=str
)
def test_what_costs_too_much_is_found(bug: Bug, size: int) -> None:
    target = load(bug.target)
    expensive = [make(size) for make in target.worst.values()]
    with bug.planted(), pytest.raises(TooExpensive):
        _check_all(target, expensive)


def _check_all(target: Target, expensive: Iterable[bytes]) -> None:
    for data in expensive:
        target.check_cost(data)


def test_without_bugs_nothing_is_found() -> None:
    for name in {bug.target: None for bug in BUGS}:
        assert found(load(name), changed=100) == ""
