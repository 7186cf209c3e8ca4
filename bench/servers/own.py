"""Our server on trio, with real handlers, speaking the application of the bench."""

from __future__ import annotations

import gc
import sys

import trio

import sioproto.trio

received = 0
io = sioproto.trio.Server()


@io.on("connection")
def connection(socket: sioproto.trio.Socket) -> None:
    """Give a client its handlers."""

    @socket.on("echo")
    def echo(value: object) -> object:
        return value

    @socket.on("ev")
    def ev(*args: object) -> None:
        global received
        received += 1

    @socket.on("bcast")
    def bcast(*args: object) -> None:
        io.emit("msg", *args)

    @socket.on("broom")
    def broom(*args: object) -> None:
        io.to("r").emit("msg", *args)

    @socket.on("join")
    def join(*args: object) -> bool:
        socket.join("r")
        return True

    @socket.on("count")
    def count(*args: object) -> int:
        return received

    @socket.on("gc")
    def collect(*args: object) -> bool:
        gc.collect()
        return True


trio.run(lambda: io.serve(host="127.0.0.1", port=int(sys.argv[1])))
