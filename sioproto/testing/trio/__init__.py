"""A test client for servers on trio, in the same process and without a network (extra ``trio``)."""

from sioproto.testing.trio._client import Answer, Client, Event, Joining
from sioproto.testing.trio._engine import EngineClient, Opening
from sioproto.testing.trio._serving import EngineServerUnderTest, ServerUnderTest, serving
from sioproto.testing.trio._waiting import Done, ExpectationFailed

__all__ = [
    "Answer",
    "Client",
    "Done",
    "EngineClient",
    "EngineServerUnderTest",
    "Event",
    "ExpectationFailed",
    "Joining",
    "Opening",
    "ServerUnderTest",
    "serving",
]
