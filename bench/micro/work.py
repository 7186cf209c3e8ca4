"""What codecs have to encode and decode, and what it is on the wire."""

from __future__ import annotations

import json
from typing import Any

TEXT = [
    "chat message",
    {"user": "alice", "room": "lobby", "text": "lorem ipsum dolor sit amet, consectetur"},
]
ITEMS = [
    {
        "id": number,
        "name": f"item number {number}",
        "price": 9.99 + number,
        "tags": ["red", "green", "blue"],
        "stock": {"here": number * 3, "there": number * 7},
    }
    for number in range(18)
]
JSON_2K = [
    "update",
    {
        "id": 123456,
        "ok": True,
        "none": None,
        "ratio": 0.12345,
        "items": ITEMS,
        "note": "caf\u00e9 na\u00efve \u2603 " * 4,
    },
]
FIRST, SECOND = bytes(range(256)) * 4, bytes(reversed(range(256))) * 4
BINARY = ["upload", {"name": "a.bin", "data": FIRST}, SECOND]
BINARY_JSON = [
    "upload",
    {"name": "a.bin", "data": {"_placeholder": True, "num": 0}},
    {"_placeholder": True, "num": 1},
]
PAYLOAD = [
    [
        "chat message",
        {"user": "alice", "room": "lobby", "text": f"lorem ipsum dolor sit amet, {number:011d}"},
    ]
    for number in range(16)
]

WORK: dict[str, list[Any]] = {
    "100 B": TEXT,
    "2 KB": JSON_2K,
    "payload of 16": PAYLOAD,
    "two attachments": BINARY,
}
"""The arguments of an event; of sixteen for the polling payload."""


def dumps(value: Any, *, ascii: bool = False) -> str:
    """JSON without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=ascii)


def wire(name: str, *, ascii: bool = False) -> list[str | bytes] | str:
    """What goes over the wire: the messages of an event, or one polling payload.

    Args:
        name: in ``WORK``.
        ascii: whether text beyond ASCII is escaped, which JSON leaves open.
    """
    if name == "two attachments":
        return ["452-" + dumps(BINARY_JSON), FIRST, SECOND]
    if name == "payload of 16":
        return "\x1e".join("42" + dumps(args) for args in PAYLOAD)
    return ["42" + dumps(WORK[name], ascii=ascii)]
