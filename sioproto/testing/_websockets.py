"""WebSockets between a client machine and a server machine, each on a connection of its own."""

from __future__ import annotations

from functools import partial

from sioproto._errors import LimitError
from sioproto.engineio import Request, WsAccept, WsClose, WsConnect, WsReject, WsSend
from sioproto.testing._network import Network, Wire
from sioproto.testing._world import Client, ContractBroken, Server, World, announced_sid, sid_of


class _End:
    """A WebSocket as one of its ends sees it."""

    __slots__ = ("busy", "closing", "limit", "open", "retired")

    def __init__(self) -> None:
        self.open = False
        self.busy = False
        """Whether a batch is being written."""
        self.closing = False
        """Whether this end has closed."""
        self.retired = False
        """Whether its machine has been told of the end."""
        self.limit = 0


class _WebSocket:
    """A WebSocket, on a connection of its own."""

    __slots__ = ("client", "gone", "server", "switched", "token", "wire", "ws")

    def __init__(self, ws: int, wire: Wire) -> None:
        self.ws = ws
        self.token = wire.name
        self.wire = wire
        self.client = _End()
        self.server = _End()
        self.switched = False
        """Whether it carries the session, as far as the client is concerned."""
        self.gone = False
        """Whether the client closed it before the server had accepted it."""


class WebSockets:
    """All WebSockets of one client."""

    def __init__(self, world: World, client: Client, server: Server) -> None:
        self._world = world
        self._client = client
        self._server = server
        self._websockets: dict[int, _WebSocket] = {}
        self._by_token: dict[str, _WebSocket] = {}
        self._lost: list[_WebSocket] = []

    def break_all(self, kind: str) -> None:
        """Break every connection."""
        for websocket in [*self._websockets.values(), *self._by_token.values()]:
            self._break_websocket(websocket, kind)

    def switched(self, sid: str) -> None:
        """The client has made a WebSocket the transport of its session.

        If that was cut already, and the client did not know, it is the session that is hit now.
        """
        for websocket in [*self._websockets.values(), *self._lost]:
            if websocket.wire.sid == sid and not websocket.switched:
                websocket.switched = True
                if self._world.broken(websocket.wire):
                    self._world.blame(websocket.wire, "cut")

    # What each end asks for. What is over already was so before its machine was drained.

    def send_up(self, out: WsSend[int]) -> None:
        """The client sends messages."""
        if out.ws in self._websockets:
            self._send_up(self._websockets[out.ws], [frame.payload for frame in out.frames])

    def send_down(self, out: WsSend[str]) -> None:
        """The server sends messages."""
        if out.ws in self._by_token:
            self._send_down(self._by_token[out.ws], [frame.payload for frame in out.frames])

    def close_client(self, out: WsClose[int]) -> None:
        """The client closes one."""
        if out.ws in self._websockets:
            self._close_client(self._websockets[out.ws])

    def close_server(self, out: WsClose[str]) -> None:
        """The server closes one."""
        if out.ws in self._by_token:
            self._close_server(self._by_token[out.ws])

    def reject(self, out: WsReject[str]) -> None:
        """The server does not want one."""
        websocket = self._by_token.pop(out.ws)
        websocket.server.retired = True
        self._world.down(websocket.wire, partial(self._rejected, websocket, out))

    def connect(self, out: WsConnect) -> None:
        """The client opens one."""
        sid = sid_of(out.target)
        websocket = _WebSocket(out.ws, self._world.wire(f"w{out.ws}", sid))
        websocket.client.limit = out.limit
        websocket.switched = sid is None  # it carries the session from the start
        self._websockets[out.ws] = websocket
        network, dice = self._world.network, self._world.dice
        if self._world.offline:
            self._break_websocket(websocket, "outage")
        elif dice.happens(network.refuse):
            self._world.blame(websocket.wire, "refuse", hits=False)
            call = self._refused if dice.happens(0.5) else self._retire_client
            self._world.soon(partial(call, websocket))
        else:
            connect = partial(self._connect_arrives, websocket, out)
            self._world.up(websocket.wire, connect)
            if dice.happens(network.cut):
                delay = dice.uniform(0, network.cut_within)
                self._world.later(delay, lambda: self._cut_later(websocket, network))

    def _refused(self, websocket: _WebSocket) -> None:
        """Something on the way does not let it through."""
        if not websocket.client.retired:
            self._forget_client(websocket)
            answer = (websocket.ws, 502, (), b"bad gateway")
            self._world.tell("client", self._client.ws_refused, *answer)

    def _connect_arrives(self, websocket: _WebSocket, out: WsConnect) -> None:
        if not websocket.gone:
            self._by_token[websocket.token] = websocket
            head = Request(method="GET", target=out.target, headers=out.headers)
            self._world.tell("server", self._server.ws_connected, websocket.token, head)

    def accept(self, out: WsAccept[str]) -> None:
        """The server accepts one."""
        websocket, headers = self._by_token[out.ws], out.headers
        websocket.server.open = True
        websocket.server.limit = out.limit
        if self._world.broken(websocket.wire) or websocket.gone:
            self._world.soon(partial(self._retire_server, websocket))
        else:
            opened = partial(self._opened, websocket, headers)
            self._world.down(websocket.wire, opened)

    def _opened(self, websocket: _WebSocket, headers: tuple[tuple[str, str], ...]) -> None:
        if not websocket.client.retired and not websocket.client.closing:
            websocket.client.open = True
            self._world.tell("client", self._client.ws_opened, websocket.ws, headers)

    def _rejected(self, websocket: _WebSocket, out: WsReject[str]) -> None:
        if not websocket.client.retired:
            self._forget_client(websocket)
            answer = (websocket.ws, out.status, out.headers, out.body)
            self._world.tell("client", self._client.ws_refused, *answer)

    def _send_up(self, websocket: _WebSocket, payloads: list[str | bytes]) -> None:
        end = websocket.client
        _check_sending("client", websocket, end)
        end.busy = True
        written = self._world.now
        for payload in payloads:
            arrives = partial(self._frame_arrives, websocket, payload)
            written = self._world.up(websocket.wire, arrives)
        delay = self._world.dice.uniform(0, written - self._world.now)
        self._world.later(delay, partial(self._client_wrote, websocket))

    def _send_down(self, websocket: _WebSocket, payloads: list[str | bytes]) -> None:
        end = websocket.server
        _check_sending("server", websocket, end)
        end.busy = True
        written = self._world.now
        for payload in payloads:
            if websocket.wire.sid is None and isinstance(payload, str):
                websocket.wire.sid = announced_sid(payload)
            arrives = partial(self._frame_returns, websocket, payload)
            written = self._world.down(websocket.wire, arrives)
        delay = self._world.dice.uniform(0, written - self._world.now)
        self._world.later(delay, partial(self._server_wrote, websocket))

    def _client_wrote(self, websocket: _WebSocket) -> None:
        websocket.client.busy = False
        if not websocket.client.retired:
            self._world.tell("client", self._client.ws_sent, websocket.ws)

    def _server_wrote(self, websocket: _WebSocket) -> None:
        websocket.server.busy = False
        if not websocket.server.retired:
            self._world.tell("server", self._server.ws_sent, websocket.token)

    def _frame_arrives(self, websocket: _WebSocket, payload: str | bytes) -> None:
        end, server = websocket.server, self._server
        if end.open and not end.retired:
            if _bytes_in(payload) > end.limit:
                error = LimitError("too large", rule="EIO-WS-08", limit="max_payload")
                self._retire_server(websocket, error)
                self._world.down(websocket.wire, partial(self._retire_client, websocket))
            else:
                fact = server.ws_text if isinstance(payload, str) else server.ws_binary
                self._world.tell("server", fact, websocket.token, payload)

    def _frame_returns(self, websocket: _WebSocket, payload: str | bytes) -> None:
        end, client = websocket.client, self._client
        if end.open and not end.retired:
            if _bytes_in(payload) > end.limit:
                error = LimitError("too large", rule="EIO-CLI-04", limit="max_payload")
                self._retire_client(websocket, error)
                self._world.up(websocket.wire, partial(self._retire_server, websocket))
            else:
                fact = client.ws_text if isinstance(payload, str) else client.ws_binary
                self._world.tell("client", fact, websocket.ws, payload)

    def _close_client(self, websocket: _WebSocket) -> None:
        """The client closes; it is told of the end when the server has answered."""
        end = websocket.client
        if end.closing:
            raise ContractBroken(f"client: {websocket.token} is closed twice")
        end.closing = True
        if self._world.broken(websocket.wire) or not end.open:
            self._world.soon(partial(self._retire_client, websocket))
        self._world.up(websocket.wire, partial(self._close_arrives, websocket))

    def _close_arrives(self, websocket: _WebSocket) -> None:
        websocket.gone = True
        if websocket.server.open:
            self._retire_server(websocket)
        self._world.down(websocket.wire, partial(self._retire_client, websocket))

    def _close_server(self, websocket: _WebSocket) -> None:
        end = websocket.server
        if end.closing:
            raise ContractBroken(f"server: {websocket.token} is closed twice")
        end.closing = True
        if self._world.broken(websocket.wire):
            self._world.soon(partial(self._retire_server, websocket))
        self._world.down(websocket.wire, partial(self._close_returns, websocket))

    def _close_returns(self, websocket: _WebSocket) -> None:
        self._retire_client(websocket)
        self._world.up(websocket.wire, partial(self._retire_server, websocket))

    def _cut_later(self, websocket: _WebSocket, network: Network) -> None:
        if self._world.network.cut == network.cut:
            self._break_websocket(websocket, "cut")

    def _break_websocket(self, websocket: _WebSocket, kind: str) -> None:
        client, server = websocket.client, websocket.server
        if websocket.wire.broken or (client.retired and (server.retired or not server.open)):
            return
        websocket.wire.broken = True
        lost = ConnectionResetError("lost")
        self._world.blame(websocket.wire, kind, hits=websocket.switched)
        if client.closing:
            self._world.soon(partial(self._retire_client, websocket))
        else:
            self._world.learn(partial(self._retire_client, websocket, lost))
        if server.closing:
            self._world.soon(partial(self._retire_server, websocket))
        else:
            self._world.learn(partial(self._retire_server, websocket, lost))

    def _forget_client(self, websocket: _WebSocket) -> None:
        websocket.client.retired = True
        del self._websockets[websocket.ws]
        if self._world.broken(websocket.wire) and not websocket.switched:
            self._lost.append(websocket)

    def _retire_client(self, websocket: _WebSocket, error: Exception | None = None) -> None:
        if not websocket.client.retired:
            self._forget_client(websocket)
            self._world.tell("client", self._client.ws_closed, websocket.ws, error=error)

    def _retire_server(self, websocket: _WebSocket, error: Exception | None = None) -> None:
        end = websocket.server
        if end.open and not end.retired:
            end.retired = True
            del self._by_token[websocket.token]
            self._world.tell("server", self._server.ws_closed, websocket.token, error=error)


def _check_sending(side: str, websocket: _WebSocket, end: _End) -> None:
    for wrong, why in (
        (not end.open, "is not open"),
        (end.busy, "has not written the last batch"),
        (end.closing, "is closed"),
    ):
        if wrong:
            raise ContractBroken(f"{side}: sends on {websocket.token}, which {why}")


def _bytes_in(payload: str | bytes) -> int:
    if isinstance(payload, bytes) or payload.isascii():
        return len(payload)
    return len(payload.encode())
