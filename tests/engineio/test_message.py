"""Outgoing packets: each form is built once."""

from __future__ import annotations

import pytest

from sioproto.engineio import Message


def test_text_has_one_form() -> None:
    message = Message("4hello")
    assert message.text == "4hello"
    assert message.frame.payload == "4hello"
    assert message.text_frame is message.frame


def test_binary_has_three_forms_each_built_once() -> None:
    message = Message(b"\x01\x02\x03")
    assert message.text == "bAQID"
    assert message.frame.payload == b"\x01\x02\x03"
    assert message.text_frame.payload == "bAQID"
    assert message.text is message.text
    assert message.frame is message.frame
    assert message.text_frame is message.text_frame
    assert message.frame is not message.text_frame


@pytest.mark.covers("EIO-PKT-05", "EIO-PKT-07")
def test_revision_3_has_binary_forms_of_its_own_each_built_once() -> None:
    message = Message(b"\x01\x02\x03")
    assert message.frame_v3.payload == b"\x04\x01\x02\x03"  # EIO-PKT-05
    assert message.text_v3 == message.text_frame_v3.payload == "b4AQID"  # EIO-PKT-07
    assert message.frame_v3 is message.frame_v3
    assert message.text_v3 is message.text_v3
    assert message.text_frame_v3 is message.text_frame_v3
    assert message.frame.payload == b"\x01\x02\x03"


def test_revisions_share_text() -> None:
    message = Message("4hello")
    assert message.text_v3 == "4hello"
    assert message.frame_v3 is message.text_frame_v3 is message.frame


def test_repr_shows_what_is_sent() -> None:
    assert repr(Message("4a")) == "Message('4a')"
    assert repr(Message(b"a").text_frame) == "WsFrame('bYQ==')"
