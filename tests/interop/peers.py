"""Who talks to the server, and the list of what all of them do: ``scenarios.toml``."""

from __future__ import annotations

import shutil
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
NODE_FOLDER = HERE / "node"
TRANSPORTS = ("default", "polling", "websocket")
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")

SCENARIOS: dict[str, dict[str, Any]] = tomllib.loads(
    (HERE / "scenarios.toml").read_text(encoding="utf-8")
)


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A client. Its program takes the name of a scenario, a URL and transports."""

    program: str
    arguments: tuple[str, ...] = ()
    """What the program is given before that."""
    transports: Sequence[str] = TRANSPORTS

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs it; fails the test if something is not installed."""
        if self.program.endswith(".py"):
            return [sys.executable, str(HERE / self.program), *self.arguments, *arguments]
        own = list(self.arguments)
        if self.program == "chromium.mjs":
            own.append(find_chromium())
        return [find_node(), str(NODE_FOLDER / self.program), *own, *arguments]


PEERS = {
    "socket.io-client 4": Peer(program="node.mjs", arguments=("4",)),
    "socket.io-client 3": Peer(program="node.mjs", arguments=("3",)),
    "socket.io-client 2": Peer(program="node.mjs", arguments=("2",)),
    # The bundle of major version 4 in a browser.
    "chromium": Peer(program="chromium.mjs", transports=("default",)),
    "python-socketio": Peer(program="python_socketio_client.py"),
    "sioproto": Peer(program="sioproto_client.py"),
    "sioproto of revision 3": Peer(program="sioproto_client.py", arguments=("--revision=3",)),
}
# The official client for Node, as far back as there are servers for it.
MAJORS = ("socket.io-client 4", "socket.io-client 3", "socket.io-client 2")
# Sockets of all of these take turns within one scenario.
ALL_MAJORS = Peer(program="node.mjs", arguments=("2,3,4",))


def find_node() -> str:
    node = shutil.which("node")
    if node is None or not (NODE_FOLDER / "node_modules").is_dir():
        pytest.fail(
            "The interoperability tests need Node.js and its packages: run `tox -e interop`, "
            f"or `npm ci` in {NODE_FOLDER.relative_to(HERE.parent.parent)}."
        )
    return node


def find_chromium() -> str:
    for name in CHROMIUM_NAMES:
        path = shutil.which(name)
        if path is not None:
            return path
    pytest.fail("The tests in a browser need Chromium on PATH: `apt-get install chromium`.")


def runs_of(
    *peers: str, interrupts: bool = False, transports: Sequence[str] = TRANSPORTS
) -> list[Any]:
    """Parameters of the tests: each scenario, over each of its transports, with each peer."""
    return [
        pytest.param(peer, name, transport, id=f"{peer}-{name}-{transport}".replace(" ", "-"))
        for peer in peers
        for name, entry in SCENARIOS.items()
        if peer not in entry.get("cannot", {})
        if ("interrupts" in entry) is interrupts
        for transport in transports
        if transport in entry.get("transports", TRANSPORTS)
        if transport in PEERS[peer].transports
    ]
