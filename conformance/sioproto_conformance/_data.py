"""The suite's data files, wherever the suite is installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
# Where each piece lives in a checkout, from the folder that holds the package. A wheel carries
# copies under their plain names.
_IN_CHECKOUT = {
    "contract.md": Path("contract.md"),
    "schemas": Path("schemas"),
    "vectors": Path("vectors"),
    "spec_notes": Path("..", "spec_notes"),
}


def data_path(name: str) -> Path:
    """Return the file or folder called ``name``: ``spec_notes``, ``contract.md``, ....

    Raises ``KeyError`` for any other name and ``FileNotFoundError`` when the installation lacks it.
    """
    in_checkout = _IN_CHECKOUT[name]
    for path in (_PACKAGE / "_data" / name, _PACKAGE.parent / in_checkout):
        if path.exists():
            return path.resolve()
    raise FileNotFoundError(f"this installation of the conformance suite lacks its {name}")
