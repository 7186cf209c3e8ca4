"""Options: which default each has, why where it is not the reference's, and what they refuse.

The reference is the JavaScript server, socket.io 4.8.4 on engine.io 6.6.12.
"""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import MISSING, Field, FrozenInstanceError
from math import inf, nan
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import sioproto.asgi
import sioproto.engineio
import sioproto.socketio
import sioproto.trio
from sioproto.asgi import AsgiConfig
from sioproto.engineio import CookieConfig, CorsConfig, HttpCompressionConfig
from sioproto.engineio import ServerConfig as EngineConfig
from sioproto.socketio import RecoveryConfig
from sioproto.socketio import ServerConfig as SocketConfig
from sioproto.trio import AppConfig, ConnectionConfig, DeflateConfig
from tests.project import read


class Option(NamedTuple):
    """An option of the reference that is a field here, with its default in our units."""

    name: str
    config: type[Any]
    field: str
    default: object


OPTIONS = [
    # SIO-OPT-02, SIO-OPT-04, SIO-OPT-05
    Option("connectTimeout", SocketConfig, "connect_timeout", 45),
    Option("connectionStateRecovery", SocketConfig, "recovery", None),
    Option("maxDisconnectionDuration", RecoveryConfig, "max_disconnection_duration", 120),
    Option("skipMiddlewares", RecoveryConfig, "skip_middlewares", True),
    Option("cleanupEmptyChildNamespaces", SocketConfig, "remove_empty_namespaces", False),
    # SIO-OPT-07, SIO-OPT-08, SIO-OPT-09, SIO-OPT-10, SIO-OPT-11
    Option("attach path", EngineConfig, "path", "/engine.io/"),
    Option("pingInterval", EngineConfig, "ping_interval", 25),
    Option("pingTimeout", EngineConfig, "ping_timeout", 20),
    Option("upgradeTimeout", EngineConfig, "upgrade_timeout", 10),
    Option("maxHttpBufferSize", EngineConfig, "max_payload", 1_000_000),
    Option("transports", EngineConfig, "transports", ("polling", "websocket")),
    Option("allowUpgrades", EngineConfig, "allow_upgrades", True),
    Option("allowEIO3", EngineConfig, "allow_eio3", False),
    Option("initialPacket", EngineConfig, "initial_packet", None),
    Option("httpCompression", EngineConfig, "http_compression", HttpCompressionConfig()),
    Option("httpCompression threshold", HttpCompressionConfig, "threshold", 1024),
    Option("httpCompression level", HttpCompressionConfig, "level", 6),
    Option("perMessageDeflate", ConnectionConfig, "per_message_deflate", None),
    Option("perMessageDeflate threshold", DeflateConfig, "threshold", 1024),
    Option("zlibDeflateOptions level", DeflateConfig, "level", 6),
    Option("zlibDeflateOptions memLevel", DeflateConfig, "memory_level", 8),
    Option("serverMaxWindowBits", DeflateConfig, "server_max_window_bits", 15),
    Option("clientMaxWindowBits", DeflateConfig, "client_max_window_bits", 15),
    Option("serverNoContextTakeover", DeflateConfig, "server_no_context_takeover", False),
    Option("clientNoContextTakeover", DeflateConfig, "client_no_context_takeover", False),
    Option("cookie", EngineConfig, "cookie", None),
    Option("cookie name", CookieConfig, "name", "io"),
    Option("cookie path", CookieConfig, "path", "/"),
    Option("cookie httpOnly", CookieConfig, "http_only", True),
    Option("cookie sameSite", CookieConfig, "same_site", "lax"),
    Option("cookie maxAge", CookieConfig, "max_age", None),
    Option("cookie domain", CookieConfig, "domain", None),
    Option("cookie secure", CookieConfig, "secure", False),
    Option("cors", EngineConfig, "cors", None),
    Option("cors origin", CorsConfig, "origin", "*"),
    Option(
        "cors methods", CorsConfig, "methods", ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE")
    ),
    Option("cors allowedHeaders", CorsConfig, "allowed_headers", None),
    Option("cors exposedHeaders", CorsConfig, "exposed_headers", ()),
    Option("cors credentials", CorsConfig, "credentials", False),
    Option("cors maxAge", CorsConfig, "max_age", None),
    Option("cors optionsSuccessStatus", CorsConfig, "preflight_status", 204),
    # Constants there, fields here: SIO-OPT-12, EIO-UPS-03, EIO-CL-05, EIO-WS-05, EIO-SEC-12
    Option("attachments of a packet", SocketConfig, "max_attachments", 10),
    Option("noop tick while upgrading", EngineConfig, "noop_interval", 0.1),
    Option("graceful close", EngineConfig, "close_timeout", 30),
    Option("closing handshake of a WebSocket", ConnectionConfig, "close_timeout", 30),
    Option("fragments of a message", ConnectionConfig, "max_fragments", 16_384),
    # SIO-OPT-13: without a bound there
    Option("acknowledgements that are owed", SocketConfig, "max_pending_acks", inf),
    Option("namespaces of a client", SocketConfig, "max_namespaces", inf),
    Option("wait for an attachment", SocketConfig, "attachment_timeout", inf),
    Option("send buffer", EngineConfig, "max_buffer", inf),
    Option("events kept for recovery", RecoveryConfig, "max_log", inf),
    Option("sockets kept for recovery", RecoveryConfig, "max_sockets", inf),
    Option("JSONP", EngineConfig, "jsonp", True),
]

UNBOUNDED = "Everything pending has a limit: the ruling bounds."
DEVIATIONS: dict[tuple[type[Any], str], str] = {
    (SocketConfig, "max_pending_acks"): UNBOUNDED,
    (SocketConfig, "max_namespaces"): UNBOUNDED,
    (SocketConfig, "attachment_timeout"): UNBOUNDED,
    (EngineConfig, "max_buffer"): UNBOUNDED,
    (RecoveryConfig, "max_log"): UNBOUNDED,
    (RecoveryConfig, "max_sockets"): UNBOUNDED,
    (EngineConfig, "jsonp"): "Any page may poll so: the ruling jsonp-in-revision-4.",
}
"""Defaults that are not the reference's, and why."""

OF_NODE = "Node's HTTP server has such limits of its own, which are not options of the reference."
OF_THE_APPLICATION = "The reference bounds nothing that handlers leave waiting."
OUR_OWN: dict[tuple[type[Any], str], str] = {
    (
        SocketConfig,
        "dynamic_namespaces",
    ): "There, a function or a pattern switches it on.",
    (SocketConfig, "room_events"): "There, the adapter emits them whether anybody listens or not.",
    (EngineConfig, "stall_timeout"): OF_THE_APPLICATION,
    **{(AsgiConfig, field.name): OF_NODE for field in dataclasses.fields(AsgiConfig)},
    **{(AppConfig, field.name): OF_THE_APPLICATION for field in dataclasses.fields(AppConfig)},
    (ConnectionConfig, "fast_lanes"): "How it is done, not what.",
    **{
        (ConnectionConfig, name): OF_NODE
        for name in (
            "header_timeout",
            "idle_timeout",
            "body_timeout",
            "write_timeout",
            "linger_timeout",
            "shutdown_timeout",
            "max_header_bytes",
            "max_headers",
            "max_pipelined_bytes",
            "max_linger_bytes",
        )
    },
}
"""Fields that have no counterpart, and why they are there."""

PARAMETERS = {"allowRequest": "allow_request", "adapter": "adapter", "parser": "parser"}
"""Options that are parameters of the servers, because they are no values: SIO-OPT-06."""

ELSEWHERE = ["serveClient", "addTrailingSlash", "destroyUpgrade", "wsEngine"]
"""Options that are not here: docs/differences.md says what is instead."""

SERVER_CONFIGS = [
    SocketConfig,
    RecoveryConfig,
    EngineConfig,
    HttpCompressionConfig,
    CookieConfig,
    CorsConfig,
    ConnectionConfig,
    DeflateConfig,
    AppConfig,
    AsgiConfig,
]
CONFIGS = sorted(
    {
        getattr(module, name)
        for module in (sioproto.engineio, sioproto.socketio, sioproto.trio, sioproto.asgi)
        for name in module.__all__
        if name.endswith("Config")
    },
    key=lambda config: (config.__module__, config.__name__),
)
FIELDS = [(config, field) for config in CONFIGS for field in dataclasses.fields(config)]


def default_of(config: type[Any], name: str) -> object:
    (field,) = (field for field in dataclasses.fields(config) if field.name == name)
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


@pytest.mark.parametrize("option", OPTIONS, ids=[option.name for option in OPTIONS])
def test_a_default_is_the_references_or_has_a_reason(option: Option) -> None:
    ours = default_of(option.config, option.field)
    same = ours == option.default and type(ours) in (type(option.default), float)
    assert same != ((option.config, option.field) in DEVIATIONS), (ours, option.default)


@pytest.mark.parametrize("config", SERVER_CONFIGS)
def test_every_field_of_a_server_is_accounted_for(config: type[Any]) -> None:
    listed = [option.field for option in OPTIONS if option.config is config]
    own = [name for owner, name in OUR_OWN if owner is config]
    assert sorted(listed + own) == sorted(field.name for field in dataclasses.fields(config))
    assert all(OUR_OWN.values())
    assert all(DEVIATIONS.values())


@pytest.mark.covers("SIO-OPT-13")
def test_what_has_no_bound_elsewhere_has_one_here() -> None:
    """SIO-OPT-13"""
    bounds = [
        default_of(option.config, option.field) for option in OPTIONS if option.default == inf
    ]
    assert len(bounds) > 5
    assert all(isinstance(bound, int | float) and 0 < bound < inf for bound in bounds)


@pytest.mark.covers("SIO-OPT-06")
@pytest.mark.parametrize("option", PARAMETERS)
def test_what_is_no_value_is_a_parameter(option: str) -> None:
    """SIO-OPT-06"""
    parameter = inspect.signature(sioproto.trio.Server).parameters[PARAMETERS[option]]
    assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
    assert parameter.default is not inspect.Parameter.empty


@pytest.mark.parametrize("option", ELSEWHERE)
def test_what_is_not_here_is_told(option: str) -> None:
    rows = read(Path("docs/differences.md")).partition("## Not here")[2].splitlines()
    assert any(row.startswith("| ") and f"`{option}`" in row for row in rows)


# Every configuration, also those of clients


@pytest.mark.parametrize("config", CONFIGS)
def test_a_configuration_is_frozen_and_takes_keywords_alone(config: type[Any]) -> None:
    made = config()
    for field in dataclasses.fields(config):
        with pytest.raises(FrozenInstanceError):
            setattr(made, field.name, getattr(made, field.name))
    assert config() == made
    assert hash(config()) == hash(made)
    with pytest.raises(TypeError, match="positional"):
        config(getattr(made, dataclasses.fields(config)[0].name))
    with pytest.raises(TypeError, match="no_such_option"):
        config(no_such_option=1)


NONSENSE: dict[str, list[object]] = {
    "float": [True, -1, nan, inf, "1", None],
    "int": [True, -1, 1.5, "1", None],
    "int | None": [True, -1, 1.5, "1"],
    "bool": [0, 1, "yes", None],
    "str": [1, b"/", None],
    "str | None": [1, b"/", True],
    "tuple[str, ...]": ["polling", ["polling"], None, (1,)],
}
"""By the type of the field: what it is not, and numbers that make no sense anywhere."""


@pytest.mark.parametrize(
    ("config", "field"), FIELDS, ids=[f"{c.__module__}.{c.__name__}.{f.name}" for c, f in FIELDS]
)
def test_nonsense_is_refused_by_name(config: type[Any], field: Field[Any]) -> None:
    assert isinstance(field.type, str)
    for value in [object(), *NONSENSE.get(field.type, [])]:
        with pytest.raises(ValueError, match=rf"^{config.__name__}\.{field.name} must be "):
            config(**{field.name: value})


def test_something_is_looked_at() -> None:
    assert set(SERVER_CONFIGS) <= set(CONFIGS)
    assert len(FIELDS) > 60
