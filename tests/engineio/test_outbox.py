"""What a client has yet to send."""

from __future__ import annotations

import pytest

from sioproto.engineio._message import Message
from sioproto.engineio._outbox import Outbox
from tests.property.engine_schedules import OlderEngineSchedule


@pytest.mark.covers("EIO-UPC-03")
def test_what_overtakes_stays_behind_the_end_of_an_upgrade() -> None:
    outbox = Outbox()
    for text in ("4a", "4b"):
        outbox.put(Message(text))
    for text in ("2", "5", "3", "2"):
        outbox.put_first(Message(text))
    assert [message.packet for message in outbox.take_all()] == ["5", "2", "3", "2", "4a", "4b"]
    assert outbox.size == 0


@pytest.mark.covers("EIO-UPC-03")
def test_a_ping_that_is_due_at_the_switch() -> None:
    """A schedule in which it was sent in front of the upgrade packet, and ended the session."""
    OlderEngineSchedule(496).run()
