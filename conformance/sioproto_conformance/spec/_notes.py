"""The notes besides the rules: sources, rulings, essays, exceptions, ids that are not used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from sioproto_conformance._model import Rule, SuiteError
from sioproto_conformance._rules import read_rules

MENTION = re.compile(r"\b(?:EIO|SIO)-[A-Z0-9]+-[0-9]+[a-z]?\b")
"""How the id of a rule looks in a text."""

FEATURES = {
    "cluster": "several servers that act as one",
    "compression": "compression of poll answers or of WebSocket messages",
    "cookies": "a session cookie",
    "cors": "CORS",
    "dynamic-namespaces": "namespaces that are made when a client asks for them",
    "jsonp": "JSONP",
    "middleware": "functions that let clients into a namespace",
    "msgpack": "packets in MessagePack",
    "polling": "the polling transport",
    "recovery": "connection state recovery",
    "revision-3": "clients of Engine.IO 3 and Socket.IO 4",
    "rooms": "rooms, and sending to many",
    "upgrade": "the upgrade from polling to another transport",
    "websocket": "the WebSocket transport",
    "webtransport": "the WebTransport transport",
}
"""What an implementation may have or lack, as the rules name it, in words for people."""

REASONS = {
    "inseparable": "what breaks it breaks another rule, which is proven, at the same time",
    "process": "it takes a process that ends, and broken servers live in memory, in ours",
}
"""Why a rule may go without a proof. There are no other reasons."""

_LINK = re.compile(r"\[([^\]\[]+)\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#+ +(.*?)\s*$", re.MULTILINE)
_T = TypeVar("_T")


class _Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Source(_Struct, frozen=True):
    """A document or a release that was read, pinned."""

    key: str
    title: str
    kind: Literal["document", "suite", "code", "manual", "release", "advisories", "standard"]
    repository: str = ""
    path: str = ""
    commit: str = ""
    package: str = ""
    url: str = ""
    version: str = ""
    anchors: tuple[str, ...] = ()

    def link(self, anchor: str) -> str:
        """Return where to read the place, or an empty text for a release."""
        if self.kind == "standard":
            return f"{self.url}#section-{anchor}"
        if self.kind == "advisories":
            return f"{self.url}?query={anchor}"
        if not self.repository:
            return ""
        base = f"https://github.com/{self.repository}"
        if self.kind == "document":
            return f"{base}/blob/{self.commit}/{self.path}#{anchor}"
        if self.kind == "code":
            return f"{base}/blob/{self.commit}/{self.path}/{anchor}"
        kind = "blob" if self.kind == "suite" else "tree"
        return f"{base}/{kind}/{self.commit}/{self.path}"


class Ruling(_Struct, frozen=True):
    """A question that the documents leave open or answer twice, and what was decided."""

    id: str
    question: str
    variants: tuple[str, ...]
    decision: str
    reason: str
    rules: tuple[str, ...]


class Retired(_Struct, frozen=True):
    """An id that is no rule's, and never will be again."""

    id: str
    reason: str
    see: tuple[str, ...] = ()


class Exemption(_Struct, frozen=True):
    """A rule that nothing proves, and why not."""

    rule: str
    reason: str
    """One of ``REASONS``."""
    note: str
    by: str = ""
    """The rule that is proven in its place, if it is inseparable from one."""


@dataclass(frozen=True, slots=True)
class Essay:
    """A page on rulings that belong together."""

    name: str
    """Name of the file."""
    title: str
    text: str

    @property
    def links(self) -> list[tuple[str, str]]:
        """The text and the target of each link."""
        return _LINK.findall(self.text)

    @property
    def mentions(self) -> set[str]:
        """The ids of rules that it names."""
        return set(MENTION.findall(self.text))


class _Sources(_Struct, frozen=True):
    source: list[Source]


class _Rulings(_Struct, frozen=True):
    ruling: list[Ruling]


class _Retired(_Struct, frozen=True):
    retired: list[Retired]


class _Exemptions(_Struct, frozen=True):
    exception: list[Exemption] = []


@dataclass(frozen=True, slots=True)
class Notes:
    """Everything in ``spec_notes/``."""

    folder: Path
    rules: Mapping[str, Rule]
    sources: tuple[Source, ...]
    rulings: tuple[Ruling, ...]
    retired: tuple[Retired, ...]
    exemptions: tuple[Exemption, ...]
    essays: tuple[Essay, ...]
    snapshot: str


def read_notes(folder: Path) -> Notes:
    """Return the notes.

    Raises ``SuiteError`` for a file that is missing or malformed.
    """
    essays = []
    for path in sorted((folder / "essays").glob("*.md")):
        text = path.read_text("utf-8")
        heading = _HEADING.search(text)
        essays.append(Essay(path.name, heading[1] if heading else "", text))
    snapshot = folder / "snapshot.txt"
    return Notes(
        folder=folder,
        rules=read_rules(folder / "rules"),
        sources=tuple(_decode(folder / "sources.toml", _Sources).source),
        rulings=tuple(_decode(folder / "rulings.toml", _Rulings).ruling),
        retired=tuple(_decode(folder / "retired.toml", _Retired).retired),
        exemptions=tuple(_decode(folder / "exceptions.toml", _Exemptions).exception),
        essays=tuple(essays),
        snapshot=snapshot.read_text("utf-8") if snapshot.exists() else "",
    )


def _decode(path: Path, type: type[_T]) -> _T:
    try:
        return msgspec.toml.decode(path.read_bytes(), type=type)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SuiteError(f"{path.name}: {error}") from error
