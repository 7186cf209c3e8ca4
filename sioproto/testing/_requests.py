"""Requests between a client machine and a server machine, each on a connection of its own."""

from __future__ import annotations

from functools import partial

from sioproto.engineio import HttpRead, HttpRequest, HttpRespond, Request
from sioproto.testing._network import Network, Wire
from sioproto.testing._world import Client, ContractBroken, Server, World, announced_sid, sid_of


class _Exchange:
    """A request, on a connection of its own."""

    __slots__ = ("copy", "owed", "request", "token", "waits", "wire")

    def __init__(self, request: HttpRequest, token: str, wire: Wire, copy: bool = False) -> None:
        self.request = request
        self.token = token
        self.wire = wire
        self.copy = copy
        """Whether it is a repetition, whose answer nobody gets."""
        self.waits = not copy
        """Whether the client waits for the response."""
        self.owed = False
        """Whether the server has yet to answer."""


class Requests:
    """All requests of one client."""

    def __init__(self, world: World, client: Client, server: Server) -> None:
        self._world = world
        self._client = client
        self._server = server
        self._exchanges: dict[int, _Exchange] = {}
        self._owed: dict[str, _Exchange] = {}
        self._aborted: dict[str, None] = {}
        self._copies = 0

    def break_all(self, kind: str) -> None:
        """Break every connection."""
        for exchange in [*self._exchanges.values(), *self._owed.values()]:
            self._break_exchange(exchange, kind)

    def abort(self, number: int) -> None:
        """The client gives up a request."""
        exchange = self._exchanges.pop(number, None)
        if exchange is not None:  # otherwise it was over before it was given up
            exchange.waits = False
            self._world.up(exchange.wire, partial(self._abort_server, exchange))

    def read(self, out: HttpRead[str]) -> None:
        """The server wants the body of a request."""
        exchange = self._owed.get(out.exchange)
        if exchange is not None:
            self._world.up(exchange.wire, partial(self._body_arrives, exchange, out.limit))

    def send(self, out: HttpRequest) -> None:
        """The client sends a request."""
        if out.exchange in self._exchanges:
            raise ContractBroken(f"client: exchange {out.exchange} is used twice")
        network, dice = self._world.network, self._world.dice
        sid = sid_of(out.target)
        name = f"x{out.exchange}"
        exchange = _Exchange(out, name, self._world.wire(name, sid))
        self._exchanges[out.exchange] = exchange
        if self._world.offline:
            self._break_exchange(exchange, "outage")
            return
        self._world.up(exchange.wire, partial(self._request_arrives, exchange))
        if dice.happens(network.abort):
            delay = dice.uniform(0, network.abort_within)
            self._world.later(delay, lambda: self._break_later(exchange, network))
        if out.method == "GET" and dice.happens(network.duplicate):
            self._copies += 1
            name = f"{name}c{self._copies}"
            copy = _Exchange(out, name, self._world.wire(name, sid), copy=True)
            self._world.blame(copy.wire, "duplicate")
            self._world.up(copy.wire, partial(self._request_arrives, copy))

    def _break_later(self, exchange: _Exchange, network: Network) -> None:
        if self._world.network.abort == network.abort and (exchange.waits or exchange.owed):
            self._break_exchange(exchange, "abort")

    def _break_exchange(self, exchange: _Exchange, kind: str) -> None:
        if exchange.wire.broken or not (exchange.waits or exchange.owed):
            return
        exchange.wire.broken = True
        self._world.blame(exchange.wire, kind)
        self._world.learn(partial(self._fail_client, exchange))
        self._world.learn(partial(self._abort_server, exchange))

    def _fail_client(self, exchange: _Exchange) -> None:
        if exchange.waits:
            exchange.waits = False
            number = exchange.request.exchange
            del self._exchanges[number]
            self._world.tell(
                "client", self._client.http_failed, number, ConnectionResetError("lost")
            )

    def _abort_server(self, exchange: _Exchange) -> None:
        if exchange.owed:
            exchange.owed = False
            del self._owed[exchange.token]
            self._aborted[exchange.token] = None
            self._world.tell("server", self._server.http_aborted, exchange.token)

    def _request_arrives(self, exchange: _Exchange) -> None:
        request = exchange.request
        length = (("content-length", str(len(request.body))),) if request.body else ()
        head = Request(
            method=request.method, target=request.target, headers=(*request.headers, *length)
        )
        exchange.owed = True
        self._owed[exchange.token] = exchange
        self._world.tell("server", self._server.http_request, exchange.token, head)

    def _body_arrives(self, exchange: _Exchange, limit: int) -> None:
        if exchange.owed:
            body = exchange.request.body[: limit + 1]
            self._world.tell("server", self._server.http_body, exchange.token, body)

    def _response_arrives(self, exchange: _Exchange, answer: HttpRespond[str]) -> None:
        if exchange.waits:
            exchange.waits = False
            request = exchange.request
            del self._exchanges[request.exchange]
            body = answer.body[: request.limit + 1]
            response = (request.exchange, answer.status, answer.headers, body)
            self._world.tell("client", self._client.http_response, *response)

    def respond(self, out: HttpRespond[str]) -> None:
        """The server answers one."""
        x = out.exchange
        exchange = self._owed.pop(x, None)
        if exchange is None:
            if x not in self._aborted:
                raise ContractBroken(f"server: {x} is answered twice")
            return  # it was answered before it was aborted, and drained too late
        exchange.owed = False
        if exchange.wire.sid is None and out.status == 200:
            exchange.wire.sid = announced_sid(
                out.body.decode(errors="replace").partition("\x1e")[0]
            )
        if not exchange.copy:
            self._world.down(exchange.wire, partial(self._response_arrives, exchange, out))
