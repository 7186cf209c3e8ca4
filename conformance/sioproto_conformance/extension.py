"""What cases of one's own are made of.

A distribution that has some names the module that declares them as an entry point:

    [project.entry-points."sioproto_conformance.cases"]
    acme = "acme_conformance.cases"

The module is imported when cases are looked for. It declares them as the suite's own modules do,
and the rules that are not the suite's:

    from pathlib import Path
    from sioproto_conformance.extension import TRANSPORTS, Bench, Transport, add_rules, case

    add_rules(Path(__file__).with_name("rules.toml"))

    @case("acme1.greeting.first-event.sent", covers=["ACME-1"], variants=TRANSPORTS)
    async def greeting(t: Bench, transport: Transport) -> None:
        \"\"\"A client that has connected is greeted.\"\"\"
        peer = await t.sio.connect(transport)
        packet = await peer.next()
        t.equal(packet.data, ["greeting", "hello"], "the first event")

``rules.toml`` beside it says what is promised, and of what weight:

    [[rule]]
    id = "ACME-1"
    statement = "A client that has connected is greeted."
    level = "MUST"            # or SHOULD, MAY
    origin = "text"           # broken, it is a failure; "reference" would be a warning,
                              # "robustness" a failure that is counted apart
    source = "acme#greetings" # where it is written down, for people
    revisions = [5]
    role = "server"
    testable = "wire"

From then on they are cases like any other: listed, explained, selected, run, and in every report.
"""

from __future__ import annotations

from sioproto_conformance._bench import Bench
from sioproto_conformance._model import SuiteError
from sioproto_conformance._registry import NEEDS, across, case
from sioproto_conformance._rules import add_rules
from sioproto_conformance.peers.eio import TRANSPORTS, Closed, EnginePeer, Transport
from sioproto_conformance.peers.http1 import HttpConnection, Response
from sioproto_conformance.peers.sio import Packet, SocketPeer
from sioproto_conformance.peers.wire import Gone, NoAnswer, PeerError, Unexpected
from sioproto_conformance.peers.ws import Incoming, WsConnection

__all__ = [
    "NEEDS",
    "TRANSPORTS",
    "Bench",
    "Closed",
    "EnginePeer",
    "Gone",
    "HttpConnection",
    "Incoming",
    "NoAnswer",
    "Packet",
    "PeerError",
    "Response",
    "SocketPeer",
    "SuiteError",
    "Transport",
    "Unexpected",
    "WsConnection",
    "across",
    "add_rules",
    "case",
]
