"""What happened between two machines, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One thing that happened."""

    at: float
    """Seconds."""
    side: str
    """``client``, ``server`` or ``network``."""
    kind: str
    """``fact``, ``effect``, ``event`` or ``fault``."""
    text: str

    def __str__(self) -> str:
        return f"{self.at:10.4f} {self.side:7} {self.kind:6} {self.text}"


class Trace:
    """Keeps what happened. Equal seeds make equal traces."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: list[TraceEntry] = []

    def __str__(self) -> str:
        return "\n".join(map(str, self.entries))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trace) and self.entries == other.entries

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __len__(self) -> int:
        return len(self.entries)

    def fact(self, at: float, side: str, name: str, *told: Any) -> None:
        """A machine was told something."""
        words = " ".join([name, *map(repr, told)])
        self.entries.append(TraceEntry(at, side, "fact", words))

    def output(self, at: float, side: str, kind: str, out: object) -> None:
        """A machine put out an effect or an event."""
        self.entries.append(TraceEntry(at, side, kind, repr(out)))

    def fault(self, at: float, kind: str, connection: str) -> None:
        """The network did something wrong."""
        self.entries.append(TraceEntry(at, "network", "fault", f"{kind} {connection}"))
