"""What bare `websockets` on asyncio costs: its frames, and next to nothing else."""

from __future__ import annotations

import asyncio

import click
from floor import OPEN, Floor
from websockets.asyncio.server import ServerConnection, broadcast, serve


async def run(port: int) -> None:
    """Serve until cancelled."""
    floor: Floor[ServerConnection, None] = Floor(broadcast)

    async def handler(connection: ServerConnection) -> None:
        await connection.send(OPEN)
        try:
            async for text in connection:
                assert isinstance(text, str)
                answer = floor.on_text(text, connection)
                if answer is not None:
                    await connection.send(answer)
        finally:
            floor.gone(connection)

    async with serve(
        handler, "127.0.0.1", port, backlog=1024, compression=None, ping_interval=None
    ) as server:
        await server.serve_forever()


@click.command(help=__doc__)
@click.argument("port", type=int)
def main(port: int) -> None:
    asyncio.run(run(port))


if __name__ == "__main__":
    main()
