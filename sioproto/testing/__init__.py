"""Help for testing: both machines in virtual time, strategies for fuzzing, and a test client.

* :class:`Pair` joins a client machine and a server machine by a simulated network. It needs nothing
  but the standard library.
* ``sioproto.testing.strategies`` makes packets with hypothesis (extra ``testing``).
* ``sioproto.testing.trio`` tests applications on trio (extra ``trio``).
"""

from sioproto.testing._network import Fault, Network
from sioproto.testing._pair import Pair, engine_pair, socket_pair
from sioproto.testing._trace import Trace, TraceEntry
from sioproto.testing._world import ContractBroken

__all__ = [
    "ContractBroken",
    "Fault",
    "Network",
    "Pair",
    "Trace",
    "TraceEntry",
    "engine_pair",
    "socket_pair",
]
