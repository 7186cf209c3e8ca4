"""The application of the interoperability tests on trio.

``python app.py [--port N] [--ping-interval SECONDS] [--ping-timeout SECONDS] [--recovery 1]
[--msgpack 1]`` serves on 127.0.0.1 until SIGTERM and prints one line of JSON, ``{"url": ...}``,
once it accepts connections. Other paths have what a browser needs to be a peer as well.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from functools import partial
from pathlib import Path

import trio

sys.path.insert(0, str(Path(__file__).parents[2]))  # it is started as a program


import sioproto.trio
from sioproto.engineio import Request
from sioproto.trio import Response
from tests.interop import application


async def page(request: Request) -> Response | None:
    found = await application.page(request.method, request.target)
    if found is None:
        return None
    content_type, body = found
    return Response(headers=(("content-type", content_type),), body=body)


async def main(options: argparse.Namespace) -> None:
    io = sioproto.trio.Server(**application.configuration(options))
    application.install_everywhere(io)
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            serve = partial(io.serve, host="127.0.0.1", port=options.port, fallback=page)
            (host, port), *_ = await nursery.start(serve)
            print(json.dumps({"url": f"http://{host}:{port}"}), flush=True)
            async for _ in signals:
                nursery.cancel_scope.cancel()
                break


if __name__ == "__main__":
    trio.run(main, application.parser_of_options().parse_args())
