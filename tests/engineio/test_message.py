"""Outgoing packets: each form is built once."""

from __future__ import annotations

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


def test_repr_shows_what_is_sent() -> None:
    assert repr(Message("4a")) == "Message('4a')"
    assert repr(Message("4a").frame) == "WsFrame('4a')"
