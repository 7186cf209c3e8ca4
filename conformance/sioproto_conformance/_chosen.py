"""Which server is to be judged, from the one word that people type."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sioproto_conformance._registry import NEEDS
from sioproto_conformance._target import Manifest, built_in_manifest, check_url, read_manifest

BUILT_IN = "built-in"
# What no term of a selection looks like, and somebody has meant as a URL.
_HOST_AND_PORT = re.compile(r"[^/@+*-][^/@*]*:[0-9]+(/.*)?")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A target that has been named, and not been looked at."""

    manifest: Manifest
    folder: Path | None = None
    """Where its command runs."""
    argument: str | None = None
    """The word that named it, ``None`` for the server that comes with the suite."""

    @property
    def is_built_in(self) -> bool:
        """Whether it is the server that comes with the suite."""
        return self.argument is None


def names_target(argument: str) -> bool:
    """Tell whether this is a target, and no term of a selection."""
    return (
        argument == BUILT_IN
        or argument.endswith(".toml")
        or "://" in argument
        or _HOST_AND_PORT.fullmatch(argument) is not None
    )


def choose(argument: str | None) -> Chosen:
    """Return what a URL, the name of a manifest or ``built-in`` stands for.

    Raises ``ManifestError`` for anything else, and for a manifest that is not in order.
    """
    if argument is None or argument == BUILT_IN:
        return Chosen(built_in_manifest())
    if argument.endswith(".toml"):
        path = Path(argument)
        manifest = read_manifest(path, known_features=frozenset(NEEDS))
        return Chosen(manifest, path.resolve().parent, argument)
    check_url(argument)
    return Chosen(Manifest(name=argument, url=argument), None, argument)


def choose_first(arguments: Sequence[str]) -> tuple[Chosen, list[str]]:
    """Return the target that the first argument names, else the built-in one, and the rest."""
    if arguments and names_target(arguments[0]):
        return choose(arguments[0]), list(arguments[1:])
    return choose(None), list(arguments)
