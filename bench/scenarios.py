"""What is measured, and who is: as data."""

from __future__ import annotations

from dataclasses import dataclass

OWN = "sioproto"
OWN_OFF = "sioproto, lanes off"
NODE = "socket.io on Node"
R = "python-socketio on uvicorn"
AIOHTTP = "python-socketio on aiohttp"
F = "bare trio + h11 + wsproto"
WEBSOCKETS = "bare websockets"
CEILING = "ceiling (C)"


@dataclass(frozen=True)
class Server:
    """Somebody to measure.

    The command has ``{python}``, ``{servers}``, ``{build}``, ``{port}`` in it, and in
    ``secure_command`` ``{certificate}``.
    """

    label: str
    command: str
    secure_command: str = ""
    """Serves TLS. None if it is empty."""
    cannot: frozenset[str] = frozenset()
    """Scenarios that it does not speak the protocol of."""
    every: int = 1
    """It has its turn in every, every second, ... round."""


def _own(options: str = "") -> tuple[str, str]:
    command = "{python} {servers}/own.py {port}" + options
    return command, command + " --certificate {certificate}"


def _python_socketio(stack: str) -> tuple[str, str]:
    command = "{python} {servers}/python_socketio.py " + stack + " {port}"
    return command, command + " --certificate {certificate}"


_NODE = "node --expose-gc {servers}/socket_io.cjs {port}"

SERVERS = (
    Server(OWN, *_own()),
    Server(OWN_OFF, *_own(" --lanes-off"), every=2),
    Server(NODE, _NODE, _NODE + " {certificate}"),
    Server(R, *_python_socketio("uvicorn")),
    Server(AIOHTTP, *_python_socketio("aiohttp"), every=2),
    Server(F, "{python} {servers}/floor_trio.py {port}"),
    Server(
        WEBSOCKETS,
        "{python} {servers}/floor_websockets.py {port}",
        cannot=frozenset({"poll50"}),
        every=2,
    ),
    Server(CEILING, "{build}/ceiling {port}", every=1_000),
)


@dataclass(frozen=True)
class Scenario:
    """A kind of work, in the words of the load generator."""

    name: str
    title: str
    unit: str
    """What is counted."""
    load: str
    quick: bool = True
    """Whether a quick run has it."""
    secure: bool = False
    """Whether it goes over TLS."""

    @property
    def every(self) -> int:
        """In every third round what a quick run leaves out: no goal depends on it."""
        return 1 if self.quick else 3


_ROUND_TRIPS = "round trips"

SCENARIOS = (
    Scenario("echo1", "echo, 1 connection", _ROUND_TRIPS, "mode=echo conns=1", quick=False),
    Scenario("echo50", "echo, 50 connections", _ROUND_TRIPS, "mode=echo conns=50"),
    Scenario("echo500", "echo, 500 connections", _ROUND_TRIPS, "mode=echo conns=500"),
    Scenario(
        "echo50w16",
        "echo, 50 connections, 16 in flight",
        _ROUND_TRIPS,
        "mode=echo conns=50 window=16",
    ),
    Scenario(
        "echo50_2k",
        "echo of 2 KB, 50 connections",
        _ROUND_TRIPS,
        "mode=echo conns=50 size=2000",
        quick=False,
    ),
    Scenario(
        "namespaces",
        "echo in two namespaces, 50 connections",
        _ROUND_TRIPS,
        "mode=echo conns=50 namespaces=2",
        quick=False,
    ),
    Scenario(
        "events50", "one-way events, 50 connections", "events", "mode=events conns=50 batch=16"
    ),
    Scenario("bcast500", "broadcast to 500", "deliveries", "mode=bcast conns=500 window=2"),
    Scenario(
        "room250",
        "room of 250 out of 500",
        "deliveries",
        "mode=bcast conns=500 room=250 window=2",
    ),
    Scenario("connect", "connect cycles", "cycles", "mode=connect conns=16 window=16"),
    Scenario("poll50", "polling round trips, 50 sessions", _ROUND_TRIPS, "mode=poll conns=50"),
    Scenario(
        "rate500",
        "500 events a second over 50 connections",
        _ROUND_TRIPS,
        "mode=rate conns=50 rate=500",
        quick=False,
    ),
    Scenario(
        "rate2000",
        "2,000 events a second over 50 connections",
        _ROUND_TRIPS,
        "mode=rate conns=50 rate=2000",
    ),
    Scenario("tls50", "echo over TLS, 50 connections", _ROUND_TRIPS, "conns=50", secure=True),
)

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
