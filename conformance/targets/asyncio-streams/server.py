"""The contract's applications on the embedding in ``examples/embeddings/asyncio_streams.py``."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path += [str(HERE.parent), str(HERE.parents[2] / "examples" / "embeddings")]

from asyncio_streams import Endpoint, serving  # noqa: E402  # the path is known only now
from embedding import FAST, SLOW, applications  # noqa: E402  # the path is known only now


async def main() -> None:
    """Serve until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    fast, slow = ([Endpoint(*pair) for pair in applications(configs)] for configs in (FAST, SLOW))
    async with serving(fast, 0) as url, serving(slow, 0) as slow_url:
        print(json.dumps({"url": url, "slow_url": slow_url}), flush=True)
        await stopped.wait()


asyncio.run(main())
