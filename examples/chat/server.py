"""A chat with names and rooms. ``python server.py [PORT]``, then open the page it names, twice."""

import sys
from functools import partial

import trio

from sioproto import ConnectionRefused
from sioproto.engineio import Request
from sioproto.trio import Response, Server, Socket

CLIENT = "node_modules/socket.io-client/dist/socket.io.min.js"  # made by `npm ci`
FILES = {"/": "page.html", "/chat.js": "chat.js", "/client.js": CLIENT}
io = Server()


@io.use
def take_name(socket: Socket) -> None:
    socket.name = str(socket.handshake.auth.get("name", "")).strip()[:20]
    if not socket.name:
        raise ConnectionRefused("A name, please.")
    if socket.name in (other.name for other in io.fetch_sockets()):
        raise ConnectionRefused(f"{socket.name} is here already.")


@io.on("connection")
def connection(socket: Socket) -> None:
    socket.room = ""  # nobody is there

    @socket.on("enter")
    def enter(room: object) -> list[str]:
        leave("goes to another room")
        socket.room = f"room {str(room)[:20]}"  # never the room of somebody's id
        socket.join(socket.room)
        socket.to(socket.room).emit("came", socket.name)
        return [other.name for other in io.to(socket.room).fetch_sockets()]

    @socket.on("say")
    def say(text: object) -> None:
        io.to(socket.room).emit("said", socket.name, str(text)[:1000])

    @socket.on("disconnecting")
    def leave(reason: str) -> None:
        socket.to(socket.room).emit("leaving", socket.name, reason)
        socket.leave(socket.room)


async def page(request: Request) -> Response | None:
    if (file := FILES.get(request.path)) is None:
        return None
    kind = f"text/{'html' if file == 'page.html' else 'javascript'}; charset=utf-8"
    body = await (trio.Path(__file__).parent / file).read_bytes()
    return Response(headers=(("content-type", kind),), body=body)


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    print(f"http://127.0.0.1:{port}/", flush=True)
    trio.run(partial(io.serve, port=port, fallback=page))
