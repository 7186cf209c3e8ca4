"""The command ``sio-conformance``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command, or say in one sentence what is missing."""
    try:
        from sioproto_conformance import _cli
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "sioproto_conformance":
            raise
        print(
            f"sio-conformance needs {error.name}: pip install 'sioproto[conformance]'",
            file=sys.stderr,
        )
        sys.exit(2)
    _cli.main()


if __name__ == "__main__":
    main()
