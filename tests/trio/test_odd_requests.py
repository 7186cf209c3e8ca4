"""Whatever a client asks, others are served: EIO-ROB-01."""

from __future__ import annotations

import trio
import trio.testing
from hypothesis import example, given
from hypothesis import strategies as st

from sioproto.engineio import CookieConfig, CorsConfig, HttpCompressionConfig, ServerConfig
from sioproto.trio import ConnectionConfig, DeflateConfig, Server
from tests.trio.support import Client, open_polling, serving, upgrade_bytes

PATH = "/socket.io/?EIO=4&transport=polling"

METHODS = ["GET", "POST", "HEAD", "OPTIONS", "CONNECT", "get", "PUT"]
TARGETS = [
    PATH,
    f"{PATH}&sid=unknown",
    PATH.replace("4", "3"),
    f"{PATH.replace('4', '3')}&j=1",
    f"{PATH}&b64=1&sid=",
    f"{PATH}&EIO={'9' * 5000}",
    f"{PATH}&%ff%00=%ff",
    PATH + "&a=1" * 120,
    f"http://localhost{PATH}",
    "/nowhere",
    "*",
]
HEADERS = {
    "Origin": ["null", "https://a.example", "", "\xff\xfe", "a\tb"],
    "Connection": ["close", "Upgrade, keep-alive"],
    "Upgrade": ["websocket", "h2c"],
    "Content-Length": ["0", "3", "9" * 30, "-1", "3, 4", "\xb2"],
    "Transfer-Encoding": ["chunked", "gzip"],
    "Expect": ["100-continue"],
    "Content-Type": ["application/octet-stream", "\xe9"],
    "Accept-Encoding": ["gzip", "*;q=1", "deflate;q=x", "\xff"],
    "Access-Control-Request-Headers": ["a, b", "a,,b", "\xff"],
    "Sec-WebSocket-Extensions": ["permessage-deflate", "permessage-deflate; ;=,="],
    "X-Twice": ["1", "2"],
}
BODIES = ["", "40", "2:40", "d=40", "\x00\x02\xff40", "5\r\n40\xff\xff\r\n\r\n"]

headers = st.sampled_from(
    [f"{name}: {value}\r\n" for name, values in HEADERS.items() for value in values]
)


@st.composite
def requests(draw: st.DrawFn) -> str:
    """A request, or something like it."""
    version = draw(st.sampled_from(["1.1"] * 9 + ["1.0", "2.0", "x"]))
    line = f"{draw(st.sampled_from(METHODS))} {draw(st.sampled_from(TARGETS))} HTTP/{version}\r\n"
    lines = "".join(draw(st.lists(headers, max_size=3)))
    text = f"{line}Host: localhost\r\n{lines}\r\n{draw(st.sampled_from(BODIES))}"
    return text[: draw(st.sampled_from([None] * 9 + [-1, 20]))]


upgrades = st.lists(headers, max_size=3).map(
    lambda lines: upgrade_bytes(PATH.replace("polling", "websocket"), "".join(lines))
)


@given(st.lists(st.one_of(requests(), upgrades.map(lambda b: b.decode("latin-1"))), max_size=4))
@example(["HEAD /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /"])
def test_others_are_served_whatever_a_client_asks(asked: list[str]) -> None:
    trio.run(
        _ask, "".join(asked).encode("latin-1"), clock=trio.testing.MockClock(autojump_threshold=0)
    )


async def _ask(data: bytes) -> None:
    config = ServerConfig(
        path="/socket.io/",
        allow_eio3=True,
        jsonp=True,
        cors=CorsConfig(origin=lambda origin: True, credentials=True),
        cookie=CookieConfig(),
        http_compression=HttpCompressionConfig(threshold=0),
    )
    io = Server(engine=config)
    connections = ConnectionConfig(per_message_deflate=DeflateConfig(threshold=0))
    async with serving(io, config=connections) as listener:
        client = Client(listener.connect())
        with trio.move_on_after(100):
            await client.send(data)
            assert isinstance(client.stream, trio.StapledStream)
            await client.stream.send_stream.aclose()
            answers = await client.rest()
            assert not answers or answers.startswith(b"HTTP/1.1 ")
        await open_polling(Client(listener.connect()), PATH)
