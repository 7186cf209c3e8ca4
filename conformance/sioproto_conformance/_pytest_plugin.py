"""The suite inside pytest: ``pytest --sio-target http://127.0.0.1:3000``, an item for each case.

Nothing but pytest is imported until the option is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sioproto_conformance._runner import Result

_RESULTS = pytest.StashKey["dict[str, Result]"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the suite."""
    group = parser.getgroup("sio-conformance", "conformance of Engine.IO and Socket.IO servers")
    group.addoption(
        "--sio-target",
        metavar="TARGET",
        help="judge this server: a URL, a manifest (.toml), or `built-in`",
    )
    group.addoption(
        "--sio-select",
        metavar="TERM",
        action="append",
        default=[],
        help="run only the cases that this selects, as for `sio-conformance run`; repeatable",
    )
    group.addoption("--sio-known", metavar="FILE", help="list of known failures, in TOML")


# First, so that `-k` and `--deselect` see the cases as well.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the cases to what was collected."""
    if config.getoption("--sio-target") is None:
        return
    try:
        from sioproto_conformance._registry import all_cases
        from sioproto_conformance._select import SelectionError, select
    except ModuleNotFoundError as error:
        raise pytest.UsageError(
            f"--sio-target needs {error.name}: pip install 'sioproto[conformance]'"
        ) from error
    try:
        cases = select(all_cases(), config.getoption("--sio-select"))
    except SelectionError as error:
        raise pytest.UsageError(str(error)) from error
    items += [
        CaseItem.from_parent(session, name=case.id, nodeid=f"sio-conformance::{case.id}", case=case)
        for case in cases
    ]


class CaseItem(pytest.Item):
    """One case. The first item that runs makes all of them run, in parallel."""

    def __init__(self, *, case: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case = case

    def runtest(self) -> None:
        """Give the verdict of this case; only what is no verdict on the server is skipped."""
        from sioproto_conformance._model import Verdict

        result = self._results()[self.case.id]
        for check in result.checks:
            if not check.ok:
                told = f"{check.expected}; {check.actual}"
                self.user_properties.append((", ".join(check.rules), told))
        match result.verdict:
            case Verdict.SKIP:
                pytest.skip(result.reason)
            case Verdict.XFAIL:
                pytest.xfail(result.expectation)
            case Verdict.WARN | Verdict.INFO:
                self.add_report_section("call", "verdict", f"{result.verdict}: {result.reason}")
            case Verdict.PASS | Verdict.FLAKY:
                pass
            case _:
                raise CaseFailed(result)

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """Show what was expected and what passed on the wire, not a Python traceback."""
        if isinstance(excinfo.value, CaseFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Say which case it is."""
        return self.path, None, f"case {self.name}"

    def _results(self) -> dict[str, Result]:
        stash = self.session.stash
        if _RESULTS not in stash:
            cases = [item.case for item in self.session.items if isinstance(item, CaseItem)]
            stash[_RESULTS] = _run(self.config, cases)
        return stash[_RESULTS]


class CaseFailed(Exception):
    """The verdict of a case is none that a conformant server gets."""

    def __init__(self, result: Result) -> None:
        from sioproto_conformance._text import entry_text

        wire = "\n".join(entry_text(entry) for entry in result.transcript)
        because = result.expectation or result.reason
        super().__init__(f"{result.verdict.upper()} {result.case.id}\n{because}\n\n{wire}")


def _run(config: pytest.Config, cases: list[Any]) -> dict[str, Result]:
    import trio

    from sioproto_conformance import _known, _probe, _runner, _target
    from sioproto_conformance._chosen import choose
    from sioproto_conformance._registry import all_cases
    from sioproto_conformance._rules import all_rules

    chosen = choose(str(config.getoption("--sio-target")))
    known: tuple[_known.Expectation, ...] = ()
    if config.getoption("--sio-known") is not None:
        known = _known.read_known(Path(str(config.getoption("--sio-known"))))
        known = _known.applicable(known, version=chosen.manifest.version)
        _known.check_overlap(known, all_cases())

    async def judge(target: _target.Target) -> list[Result]:
        options = _runner.Options(slack=_runner.default_slack(), include_security=target.built_in)
        found = await _probe.survey(target, slack=options.slack)
        runner = _runner.Runner(
            found,
            all_rules(),
            options,
            lambda result: _known.apply_known(result, known),
            exited=target.exit_code,
        )
        return await runner.run(cases)

    with _target.running(chosen.manifest, folder=chosen.folder) as target:
        target.built_in = chosen.is_built_in
        return {result.case.id: result for result in trio.run(judge, target)}
