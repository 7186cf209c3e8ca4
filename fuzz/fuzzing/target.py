"""What a target is, and how it is run: by the tests, or as a program by libFuzzer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from fuzzing import FOLDER
from fuzzing.bounds import OURS, Budget, measure

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

MEASURED_FROM = 512
"""From so many bytes on, the fuzzer measures what an input costs: short ones tell little."""
MAX_LENGTH = 4096


@dataclass(frozen=True, kw_only=True)
class Target:
    """One way to try the library with bytes."""

    file: str
    """Where it lies, which names it."""
    decode: Callable[[bytes], Any]
    """Give the bytes to the library and drop the result: what is measured. It raises what is
    documented for nobody to see, and nothing else."""
    judge: Callable[[bytes], None]
    """Give the bytes to the library and hold the result against the invariant."""
    budget: Budget
    seeds: Callable[[], Iterable[bytes]]
    """Wire examples, from which fuzzing begins."""
    worst: Mapping[str, Callable[[int], bytes]]
    """What might cost most: each makes an input of about so many bytes."""
    examples: Callable[[], SearchStrategy[bytes]]
    """What hypothesis tries."""

    @property
    def name(self) -> str:
        """The name of its file without ending."""
        return Path(self.file).stem

    @property
    def corpus(self) -> Path:
        """The folder of its corpus."""
        return FOLDER / "corpus" / self.name

    def corpus_units(self) -> Iterator[bytes]:
        """The inputs of its corpus."""
        for path in sorted(self.corpus.iterdir()):
            yield path.read_bytes()

    def run(self, data: bytes) -> None:
        """Try one input."""
        self.judge(data)
        if len(data) >= MEASURED_FROM:
            self.check_cost(data)

    def check_cost(self, data: bytes) -> None:
        """Raise ``TooExpensive`` if an input costs more than it may."""
        self.budget.check(len(data), measure(lambda: self.decode(data)))

    def main(self) -> None:
        """Run as a program: with libFuzzer's arguments, or ``--once FILE...`` without libFuzzer."""
        if sys.argv[1:2] == ["--once"]:
            for path in sys.argv[2:]:
                self.run(Path(path).read_bytes())
            return
        import atheris

        for function in _functions():
            atheris.instrument_func(function)
        atheris.Setup(sys.argv, self.run)
        atheris.Fuzz()


def _functions() -> Iterator[FunctionType]:
    """Every function of the library that has been imported: what coverage is taken of."""
    seen: dict[int, None] = {}
    for name, module in list(sys.modules.items()):
        if name == "sioproto" or name.startswith("sioproto."):
            owners: list[Any] = [module]
            owners += [
                value
                for value in vars(module).values()
                if isinstance(value, type) and value.__module__ == name
            ]
            for owner in owners:
                for value in list(vars(owner).values()):
                    for function in _unwrapped(value):
                        code = function.__code__
                        if id(code) not in seen and OURS in code.co_filename:
                            seen[id(code)] = None
                            yield function


def _unwrapped(value: Any) -> list[FunctionType]:
    if isinstance(value, property):
        candidates: list[Any] = [value.fget, value.fset]
    else:
        candidates = [getattr(value, "__func__", value)]
    return [found for found in candidates if isinstance(found, FunctionType)]
