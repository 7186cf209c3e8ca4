"""The command ``sioproto``, also ``python -m sioproto``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command, or say in one sentence what is missing."""
    try:
        from sioproto._cli import _main
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "sioproto":
            raise
        print(f"sioproto needs {error.name}: pip install 'sioproto[cli]'", file=sys.stderr)
        sys.exit(2)
    _main.main(prog_name="sioproto")


if __name__ == "__main__":
    main()
