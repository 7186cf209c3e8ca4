"""How often the codecs do what takes time: a text is scanned once, and no value is searched."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import pytest

from sioproto.engineio import decode_payload
from sioproto.socketio import Packet, PacketType, StrictJson, TextParser, _decoder, _packet


class CountingJson(StrictJson):
    """Counts how often the standard library scans and encodes."""

    def __init__(self) -> None:
        super().__init__()
        self.scanned: list[str] = []
        self.encoded = 0
        self._scan = self._counted(self._scan)
        self._write = self._counting(self._write)

    def _counted(
        self, scan: Callable[[str, int], tuple[Any, int]]
    ) -> Callable[[str, int], tuple[Any, int]]:
        def counted(text: str, start: int) -> tuple[Any, int]:
            self.scanned.append(text[start:])
            return scan(text, start)

        return counted

    def _counting(
        self, write: Callable[[Any, int], Iterable[str]]
    ) -> Callable[[Any, int], Iterable[str]]:
        def counting(value: Any, level: int) -> Iterable[str]:
            self.encoded += 1
            return write(value, level)

        return counting


def forbidden(*args: object) -> NoReturn:
    raise AssertionError("this takes time")


HOLE = '{"_placeholder":true,"num":0}'


@pytest.mark.parametrize(
    "messages",
    [
        ['2["a",1]'],
        ['217["a",{}]'],
        ["30[]"],
        [f'51-["a",{HOLE}]', b"x"],
        [f"61-7[{HOLE}]", b"x"],
    ],
)
def test_usual_packet_is_scanned_once_and_its_head_by_no_regular_expression(
    messages: list[str | bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_decoder, "decode_header", forbidden)
    json = CountingJson()
    monkeypatch.setattr(json, "_decoder", None)
    decoder = TextParser(json).decoder(max_attachments=1)
    *_, packet = map(decoder.feed, messages)
    assert packet is not None
    text = messages[0]
    assert isinstance(text, str)
    assert json.scanned == [text[text.index("[") :]]


@pytest.mark.parametrize("text", ['2/a,["a",1]', '2/a,7["a"]', '0/a,{"b":1}', '4{"message":""}'])
def test_other_packet_is_scanned_once(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    json = CountingJson()
    monkeypatch.setattr(json, "_decoder", None)
    assert TextParser(json).decoder(max_attachments=1).feed(text) is not None
    assert len(json.scanned) == 1


def test_placeholders_are_looked_for_where_attachments_are_announced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_decoder, "_fill_in", forbidden)
    decoder = TextParser().decoder(max_attachments=1)
    assert decoder.feed(f'2["a",{HOLE}]') is not None
    assert decoder.feed(f'51-["a",{HOLE}]') is None
    with pytest.raises(AssertionError):
        decoder.feed(b"x")


def test_payload_is_decoded_packet_by_packet_without_a_call_for_each_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sioproto.engineio._payload.decode_packet", forbidden)
    packets = list(decode_payload(b"\x1e".join([b'42["a"]'] * 16)))
    assert [packet.data for packet in packets] == ['2["a"]'] * 16


class WatchedDict(dict[str, Any]):
    """Counts who goes through it."""

    looked = 0

    def items(self) -> Any:
        self.looked += 1
        return super().items()

    __iter__ = keys = values = get = __contains__ = forbidden


class WatchedList(list[Any]):
    """Counts who goes through it."""

    looked = 0

    def __iter__(self) -> Any:
        self.looked += 1
        return super().__iter__()

    __getitem__ = __contains__ = index = count = forbidden


@pytest.mark.parametrize("binary", [[], [b"1", bytearray(b"2")]])
def test_arguments_are_gone_through_once_by_the_encoder_alone(binary: list[Any]) -> None:
    json = CountingJson()
    inside = WatchedList([1, [2], *binary])
    outside = WatchedDict(a=1, rest=inside)
    messages = TextParser(json).encode(Packet(PacketType.EVENT, "/", ["x", outside]))
    assert len(messages) == 1 + len(binary)
    assert (inside.looked, outside.looked, json.encoded) == (1, 1, 1)


def test_encoder_asks_for_what_json_cannot_express_and_for_nothing_else() -> None:
    asked: list[Any] = []

    class Asking(StrictJson):
        def dumps(self, value: Any, default: Callable[[Any], Any]) -> str:
            def noted(item: Any) -> Any:
                asked.append(item)
                return default(item)

            return super().dumps(value, noted)

    data = ["x", 1, None, [True, 1.5, b"1"], {"a": {"b": memoryview(b"2")}}]
    TextParser(Asking()).encode(Packet(PacketType.EVENT, "/", data))
    assert asked == [b"1", memoryview(b"2")]


def test_codec_of_ones_own_is_asked_once_for_a_packet() -> None:
    class Own:
        loaded = 0

        def dumps(self, value: Any, default: Callable[[Any], Any]) -> str:
            raise NotImplementedError

        def loads(self, text: str) -> Any:
            self.loaded += 1
            return StrictJson().loads(text)

    own = Own()
    assert TextParser(own).decoder(max_attachments=0).feed('27["a"]') is not None
    assert own.loaded == 1
    assert _packet.decode_header('27["a"]', own, 0)[0].id == 7
    assert own.loaded == 2


def test_loads_of_a_subclass_is_what_decodes() -> None:
    class Doubling(StrictJson):
        def loads(self, text: str) -> Any:
            return super().loads(text) * 2

    packet = TextParser(Doubling()).decoder(max_attachments=0).feed('2["a"]')
    assert packet == Packet(PacketType.EVENT, "/", ["a", "a"])
