"""The error tree."""

from __future__ import annotations

import sioproto


def test_tree() -> None:
    for name in sioproto.__all__:
        kind = getattr(sioproto, name)
        assert issubclass(kind, sioproto.SioprotoError)
    assert issubclass(sioproto.DecodeError, sioproto.RemoteProtocolError)
    assert issubclass(sioproto.LimitError, sioproto.RemoteProtocolError)
    assert not issubclass(sioproto.ClosedError, sioproto.LocalProtocolError)


def test_remote_errors_name_rule_and_limit() -> None:
    error = sioproto.DecodeError("empty packet", rule="EIO-PKT-03")
    assert str(error) == "empty packet [EIO-PKT-03]"
    assert (error.rule, error.http_status) == ("EIO-PKT-03", 400)
    limit = sioproto.LimitError("too many", rule="SIO-BIN-10", limit="max_attachments")
    assert str(limit) == "too many (limit: max_attachments) [SIO-BIN-10]"
    assert (limit.limit, limit.http_status) == ("max_attachments", 413)


def test_refusal_carries_message_and_data() -> None:
    error = sioproto.ConnectionRefused("unknown user", data={"retry": False})
    assert (str(error), error.message, error.data) == (
        "unknown user",
        "unknown user",
        {"retry": False},
    )
