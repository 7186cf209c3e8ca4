"""The command ``python -m sioproto_conformance.spec``."""

from __future__ import annotations

from sioproto_conformance.spec._cli import main

if __name__ == "__main__":
    main()
