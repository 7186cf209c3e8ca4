"""What the commands have in common: exit codes, terms of a selection, what can go wrong."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import click

from sioproto_conformance._known import KnownError
from sioproto_conformance._model import SuiteError
from sioproto_conformance._outcome import INCONCLUSIVE, NOT_REACHABLE, USAGE
from sioproto_conformance._probe import Unreachable
from sioproto_conformance._select import SelectionError
from sioproto_conformance._stream import StreamError
from sioproto_conformance._target import LaunchError, ManifestError

PROGRAM = "sio-conformance"


class TermsCommand(click.Command):
    """A command whose arguments may be ``-tag``, which click would take for options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        marked = [_TAG_MARK + arg if _TAG_TERM.fullmatch(arg) else arg for arg in args]
        return super().parse_args(ctx, marked)


_TAG_TERM = re.compile(r"-[a-z][a-z-]+")
_TAG_MARK = "\0"


def plain_terms(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of a ``TermsCommand`` as they were typed."""
    return [argument.replace(_TAG_MARK, "") for argument in arguments]


@contextmanager
def exiting() -> Iterator[None]:
    """Turn what can go wrong into a sentence and its exit code."""
    try:
        yield
    except (SelectionError, ManifestError, KnownError) as error:
        fail(str(error), USAGE)
    except (LaunchError, Unreachable) as error:
        fail(str(error), NOT_REACHABLE)
    except StreamError as error:
        fail(str(error), INCONCLUSIVE)
    except SuiteError as error:
        fail(f"the suite is not in order: {error}", INCONCLUSIVE)


def fail(message: str, code: int) -> NoReturn:
    click.echo(f"{PROGRAM}: {message}", err=True)
    sys.exit(code)
