"""The test vectors say what our codecs do, by rules that exist, and are shipped."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fuzzing.cases import FORMATS, Format
from sioproto_conformance._data import data_path
from sioproto_conformance._rules import all_rules
from sioproto_conformance._vectors import Message, Vector, VectorFile, schema_text, vector_files
from vectors import traced, vectors, written

FILES = {file.format: file for file in vector_files()}
KINDS = {kind.name: kind for kind in FORMATS}


def data_of(kind: Format, vector: Vector) -> bytes:
    """The input of a vector, as the generator has it."""

    def one(message: Message, text: bytes, binary: bytes) -> bytes:
        if isinstance(message.text, str):
            return text + message.text.encode()
        assert isinstance(message.hex, str)
        return binary + bytes.fromhex(message.hex)

    if isinstance(vector.input, list):
        return b"\xff".join(one(message, b"", b"\x01") for message in vector.input)
    is_frame = kind.name.startswith("engineio-packet")
    return one(vector.input, *((b"t", b"b") if is_frame else (b"", b"")))


def test_there_are_enough() -> None:
    assert list(KINDS) == sorted(KINDS, key=list(KINDS).index)
    assert set(FILES) == set(KINDS)
    assert sum(len(file.vectors) for file in FILES.values()) >= 1_000
    for file in FILES.values():
        outcomes = {vector.outcome for vector in file.vectors}
        assert {"valid", "invalid"} <= outcomes or file.format == "engineio-packet-3"
    assert any(v.outcome == "acceptable" for file in FILES.values() for v in file.vectors)


@pytest.mark.parametrize("name", KINDS)
def test_our_codecs_do_what_they_say(name: str) -> None:
    kind, file = KINDS[name], FILES[name]
    ids = [vector.id for vector in file.vectors]
    assert len(set(ids)) == len(ids)
    known = all_rules()
    for vector in file.vectors:
        assert [rule for rule in vector.rules if rule not in known] == [], vector.id
        data = data_of(kind, vector)
        case = kind.judge(data)
        told: dict[str, Any] = {"id": vector.id, **case.as_json(kind, data)}
        again = VectorFile(file.format, file.describes, [vector])
        assert told == json.loads(_as_json(again))["vectors"][0], vector.id
        assert case.accepted == vector.taken


def _as_json(file: VectorFile) -> str:
    import msgspec

    return json.dumps(msgspec.to_builtins(file))


@pytest.mark.parametrize("name", KINDS)
def test_none_is_redundant(name: str) -> None:
    """No two have the same rules and outcome and take the same ways."""
    kind = KINDS[name]
    seen: dict[object, str] = {}
    for vector in FILES[name].vectors:
        taken, ways = traced(kind, data_of(kind, vector))
        assert taken == vector.taken, vector.id
        key = (vector.outcome, tuple(vector.rules), ways)
        assert key not in seen, f"{vector.id} is as {seen[key]}"
        seen[key] = vector.id


def test_they_can_be_made_anew() -> None:
    """The rest is left to ``python fuzz/vectors.py --check``: it takes a minute."""
    kind = KINDS["engineio-packet-4"]
    text = (data_path("vectors") / f"{kind.name}.json").read_text("utf-8")
    assert written(kind, vectors(kind)) == text


def test_the_published_schema_is_current() -> None:
    """Write it anew with ``python -c`` and ``_vectors.schema_text()``."""
    assert (data_path("schemas") / "vectors.schema.json").read_text("utf-8") == schema_text()
