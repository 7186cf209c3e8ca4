"""Codecs are only compared if they do the same."""

from __future__ import annotations

import pytest

from bench.micro import codec, work
from bench.micro.adapters import MODULES, Operations, kept_json, own, own_orjson, stdlib_json


@pytest.mark.parametrize("name", work.WORK)
def test_our_codec_says_what_has_to_be_said(name: str) -> None:
    codec.check(own.operations(name), name)
    codec.check(own_orjson.operations(name), name)


@pytest.mark.parametrize("name", work.WORK)
def test_json_alone_is_the_json_in_it(name: str) -> None:
    """What the codecs are held to does the same work, no more and no less."""
    for module in (stdlib_json, kept_json):
        operations = module.operations(name)
        wire = work.wire(name, ascii=True)
        text = wire.replace("42", "", 1) if isinstance(wire, str) else wire[0]
        assert isinstance(text, str)
        encoded: str = operations.encode()
        decoded = operations.decode()
        if name == "payload of 16":
            assert encoded.split("\x1e") == [part.removeprefix("42") for part in wire_parts(name)]
            assert decoded == work.WORK[name]
        else:
            assert text.endswith(encoded)
            assert len(text) - len(encoded) <= len("452-")
            assert decoded == (work.BINARY_JSON if name == "two attachments" else work.WORK[name])


def wire_parts(name: str) -> list[str]:
    wire = work.wire(name)
    assert isinstance(wire, str)
    return wire.split("\x1e")


def test_work_is_as_large_as_its_name_says() -> None:
    assert len(work.wire("100 B")[0]) in range(90, 115)
    assert len(work.wire("2 KB")[0]) in range(1_900, 2_400)
    assert len(wire_parts("payload of 16")) == 16
    assert [len(part) for part in work.wire("two attachments")[1:]] == [1_024, 1_024]


@pytest.mark.parametrize(
    ("encoded", "decoded"),
    [
        (["43[1]"], work.TEXT),
        ([*work.wire("100 B"), b""], work.TEXT),
        (work.wire("100 B"), [*work.TEXT, None]),
    ],
)
def test_a_codec_that_does_something_else_is_refused(encoded: object, decoded: object) -> None:
    wrong = Operations(lambda: encoded, lambda: decoded)
    with pytest.raises(AssertionError):
        codec.check(wrong, "100 B")


def test_ours_is_among_the_codecs() -> None:
    assert MODULES[0] == "own"
