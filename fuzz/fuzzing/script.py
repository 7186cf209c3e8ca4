"""A byte string read as a script: which fact or command comes next, and with what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from fuzzing.plain import text_of

T = TypeVar("T")

RAW = 0xE0
"""From this byte on, content follows instead of a number from a table."""
PACKETS = (
    *("40", "40/custom,", "40/nowhere,", '40{"a":1}', "40[]", '40{"sid":"x"}', "41", "41/custom"),
    *('42["a",1]', '427["a"]', '42/custom,["b"]', '42["disconnect"]', "42", "42{}", '42["a"'),
    *('451-["c",{"_placeholder":true,"num":0}]', '452-["c"]', '450-["c"]', "4511-[]"),
    *('451-["c",{"_placeholder":true,"num":9}]', '461-1[{"_placeholder":true,"num":0}]'),
    *(
        "430[]",
        "431[1]",
        "43[]",
        "43",
        "432[]",
        "43/custom,1[]",
        '44{"message":"x"}',
        "44",
        '44"x"',
    ),
    *("4", "4abc", "47", "1", "2", "2probe", "3", "3probe", "5", "6", "7", "", "0", "0{", "\ud800"),
    *("bAQID", "b!", "b", "b4AQID", "b9", '40/custom?a=b,{"x":1}', '42/custom?a=b,["b"]', "5x"),
    *(
        '0{"sid":"E1"}',
        '0{"sid":"E9"}',
        "0{}",
        '42["e","offset"]',
        "42" + "[" * 60,
        "4" + "9" * 280,
    ),
    *(
        '0{"sid":"S","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":99}',
    ),
    *('0{"sid":"S","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100000}',),
    *('0{"sid":"","upgrades":[],"pingInterval":1,"pingTimeout":1}', '40{"sid":"S","pid":"P"}'),
    *('44{"message":"no","data":1}', '40/custom,{"sid":"C"}', '421["a"]', '42/custom,0["b"]'),
)
BINARIES = (b"", b"x", b"\x04x", b"\x01\x02\x03", b"\x02", b"x" * 310)


class Script:
    """Reads a script. What is past its end is 0."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def over(self) -> bool:
        """Whether all has been read."""
        return self._at >= len(self._data)

    def number(self) -> int:
        """The next byte."""
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def flag(self) -> bool:
        """The lowest bit of the next byte."""
        return bool(self.number() & 1)

    def one_of(self, items: Sequence[T]) -> T:
        """One of these, which are some."""
        return items[self.number() % len(items)]

    def _raw(self) -> bytes:
        length = self.number()
        self._at += length
        return self._data[self._at - length : self._at]

    def text(self) -> str:
        """A packet of the table, or any text."""
        number = self.number()
        return text_of(self._raw()) if number >= RAW else PACKETS[number % len(PACKETS)]

    def binary(self) -> bytes:
        """Some bytes."""
        number = self.number()
        return self._raw() if number >= RAW else BINARIES[number % len(BINARIES)]

    def message(self) -> str | bytes:
        """Text three times out of four, else bytes."""
        return self.binary() if self.number() % 4 == 3 else self.text()


class Scribe:
    """Writes a script, for seeds and for examples."""

    def __init__(self, actions: Sequence[str]) -> None:
        self._actions = actions

    def __call__(self, *steps: tuple[object, ...]) -> bytes:
        """Each step is the name of an action and its arguments: numbers, packets, or bytes."""
        out = bytearray()
        for name, *arguments in steps:
            out.append(self._actions.index(str(name)))
            for argument in arguments:
                if isinstance(argument, int):
                    out.append(argument)
                elif isinstance(argument, str) and argument in PACKETS:
                    out.append(PACKETS.index(argument))
                else:
                    raw = argument if isinstance(argument, bytes) else str(argument).encode()
                    out += bytes((0xFF, len(raw))) + raw
        return bytes(out)


Action = Callable[[], object]
