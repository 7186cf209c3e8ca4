"""The test vectors: inputs of codecs, what they decode to, and the rules that say so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from sioproto_conformance._data import data_path
from sioproto_conformance._model import SuiteError

RuleId = Annotated[str, msgspec.Meta(pattern=r"^(EIO|SIO)-[A-Z0-9]+-[0-9]+[a-z]?$")]


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message: text or bytes."""

    text: str | msgspec.UnsetType = msgspec.UNSET
    hex: (
        Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{2})*$", description="Bytes.")]
        | msgspec.UnsetType
    ) = msgspec.UNSET


class Vector(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input."""

    id: str
    input: Annotated[
        Message | list[Message],
        msgspec.Meta(description="One message or body, or all messages of a connection, in order."),
    ]
    outcome: Annotated[
        Literal["valid", "invalid", "acceptable"],
        msgspec.Meta(
            description="Whether it has to be taken, has to be refused, or may be either because "
            "the documents leave it open."
        ),
    ]
    rules: Annotated[list[RuleId], msgspec.Meta(min_length=1)]
    reason: str
    accepted: Annotated[
        bool | msgspec.UnsetType,
        msgspec.Meta(description="Whether sioproto takes it. Only where it is acceptable."),
    ] = msgspec.UNSET
    value: Annotated[
        Any,
        msgspec.Meta(
            description="What it decodes to, if it is taken; else what was read before the error, "
            "if anything was. What JSON lacks is an object with one key: $hex, $time, $number."
        ),
    ] = msgspec.UNSET

    @property
    def taken(self) -> bool:
        """Whether sioproto takes it."""
        return self.outcome == "valid" or self.accepted is True


class VectorFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of vectors, all of one format."""

    format: str
    describes: str
    vectors: list[Vector]


def schema_text() -> str:
    """The JSON Schema of a file of vectors."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sioproto test vectors",
        **msgspec.json.schema(VectorFile),
    }
    return json.dumps(schema, indent=2) + "\n"


def vector_files() -> Iterator[VectorFile]:
    """Read the vectors, format by format.

    Raises ``SuiteError`` for a file that is none.
    """
    for path in sorted(data_path("vectors").glob("*.json")):
        try:
            yield msgspec.convert(json.loads(path.read_text("utf-8")), VectorFile)
        except (ValueError, msgspec.ValidationError) as error:
            raise SuiteError(f"{path.name}: {error}") from error
