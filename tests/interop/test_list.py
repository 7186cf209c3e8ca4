"""The list of scenarios, ``scenarios.toml``, and those who claim to run it agree."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tests.interop.peers import HERE, NODE_FOLDER, PEERS, SCENARIOS, TRANSPORTS, find_node

# Which peers run the scenarios that a program lists.
PROGRAMS = {
    "node.mjs": [peer for peer in PEERS if PEERS[peer].program in ("node.mjs", "chromium.mjs")],
    "python_socketio_client.py": ["python-socketio"],
    "sioproto_client.py": ["sioproto", "sioproto of revision 3"],
}
KEYS = {
    "asserts": str,
    "transports": list,
    "server": dict,
    "alone": bool,
    "interrupts": str,
    "differs": dict,
    "cannot": dict,
}


def implemented(program: str) -> list[str]:
    start = [sys.executable, str(HERE / program)]
    if program.endswith(".mjs"):
        start = [find_node(), str(NODE_FOLDER / program)]
    done = subprocess.run(
        [*start, "--list"], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.split()


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_peer_implements_every_scenario_or_says_why_not(program: str) -> None:
    claimed = [
        name
        for name, entry in SCENARIOS.items()
        if not all(peer in entry.get("cannot", {}) for peer in PROGRAMS[program])
    ]
    assert implemented(program) == claimed


def mistakes(entry: dict[str, Any]) -> list[str]:
    """What is wrong with an entry of the list."""
    wrong = [key for key, value in entry.items() if not isinstance(value, KEYS.get(key, ()))]
    sentences = [entry.get("asserts", "")]
    for key in ("differs", "cannot"):
        wrong += [peer for peer in entry.get(key, {}) if peer not in PEERS]
        sentences += entry.get(key, {}).values()
    wrong += [text for text in sentences if not (text[:1].isupper() and text.endswith("."))]
    return wrong + [name for name in entry.get("transports", []) if name not in TRANSPORTS]


@pytest.mark.parametrize("name", SCENARIOS)
def test_entries_are_complete(name: str) -> None:
    assert mistakes(SCENARIOS[name]) == []


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"asserts": "no sentence"},
        {"asserts": "A sentence.", "peers": []},
        {"asserts": "A sentence.", "transports": ["pigeon"]},
        {"asserts": "A sentence.", "cannot": {"nobody": "A reason."}},
        {"asserts": "A sentence.", "differs": {"chromium": ""}},
    ],
)
def test_check_of_entries_sees(entry: dict[str, Any]) -> None:
    assert len(mistakes(entry)) == 1
