"""The contract's applications on the embedding in ``examples/embeddings/wsgi_threads.py``."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

HERE = Path(__file__).parent
sys.path += [str(HERE.parent), str(HERE.parents[2] / "examples" / "embeddings")]

from embedding import FAST, SLOW, applications  # noqa: E402  # the path is known only now
from wsgi_threads import Application, Endpoint, make_server  # noqa: E402  # as above


def main() -> None:
    """Serve until the process is ended."""
    servers = [
        make_server(
            Application([Endpoint(*pair) for pair in applications(configs, transports=POLLING)]), 0
        )
        for configs in (FAST, SLOW)
    ]
    urls = [f"http://127.0.0.1:{server.server_port}" for server in servers]
    print(json.dumps({"url": urls[0], "slow_url": urls[1]}), flush=True)
    threading.Thread(target=servers[0].serve_forever, daemon=True).start()
    servers[1].serve_forever()


POLLING = ("polling",)

main()
