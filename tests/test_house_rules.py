"""The rules of the house that a machine can check: imports, purity, names, size, words.

Each rule is a function from a file to what is wrong with it, and is itself tested on bad samples,
because a gate that lets everything through looks just like one that has nothing to stop.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from pathlib import Path

import pytest

from tests.project import FILES, ROOT, read

SOURCE_SUFFIXES = {".py", ".js", ".cjs", ".mjs", ".sh"}
MAX_LINES = 600

LIBRARY = [path for path in FILES if path.parts[0] == "sioproto" and path.suffix == ".py"]
SUITE = [
    path
    for path in FILES
    if path.parts[:2] == ("conformance", "sioproto_conformance") and path.suffix == ".py"
]


def module_of(path: Path) -> str:
    """The name under which a file is imported."""
    parts = path.with_suffix("").parts
    if parts[0] == "conformance":
        parts = parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# What a file imports


def imports_of(path: Path, source: str) -> list[str]:
    """Absolute names of what a file imports anywhere, for type checkers or not.

    ``from a import b`` counts as ``a.b``: whether ``b`` is a module cannot be seen here, and the
    rules below ask only how a name begins.
    """
    package = module_of(path).split(".")
    if path.name != "__init__.py":
        package.pop()
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            if node.module is not None:
                base = [*base, node.module]
            names += (".".join([*base, alias.name]) for alias in node.names)
    return names


# Who may import whom. The layers of the library, from the bottom up, and what else each may use.

CORE, ENGINE, SOCKET = "sioproto", "sioproto.engineio", "sioproto.socketio"
APP, TRIO, ASGI = "sioproto._app", "sioproto.trio", "sioproto.asgi"
TESTING, TESTING_TRIO = "sioproto.testing", "sioproto.testing.trio"
CLI = "sioproto._cli"
LAYERS: dict[str, tuple[set[str], set[str]]] = {
    CORE: ({CORE}, set()),
    ENGINE: ({CORE, ENGINE}, set()),
    SOCKET: ({CORE, ENGINE, SOCKET}, set()),
    APP: ({CORE, ENGINE, SOCKET, APP}, set()),
    TRIO: ({CORE, ENGINE, SOCKET, APP, TRIO}, {"trio", "h11", "wsproto"}),
    ASGI: ({CORE, ENGINE, SOCKET, APP, ASGI}, {"anyio"}),
    TESTING: ({CORE, ENGINE, SOCKET, TESTING}, set()),
    TESTING_TRIO: ({CORE, ENGINE, SOCKET, APP, TRIO, TESTING, TESTING_TRIO}, {"trio"}),
    CLI: (
        {CORE, ENGINE, SOCKET, APP, TRIO, CLI},
        {"trio", "h11", "wsproto", "click", "rich"},
    ),
}
# What one file may import besides, when it is used: an extra.
EXTRAS = {
    "sioproto.socketio._msgpack": "msgpack",
    "sioproto.socketio._orjson": "orjson",
    "sioproto.testing.strategies": "hypothesis",
}
# The suite speaks raw bytes, so that a bug of the library cannot vouch for itself. It meets the
# library only where it runs or breaks the library's own server.
SUITE_MEETS_LIBRARY = (
    "sioproto_conformance._fixture",
    "sioproto_conformance._orders",
    "sioproto_conformance._tier2",
    "sioproto_conformance.broken",
)


def layer_of(name: str) -> str:
    """The layer to which a name of the library belongs, e.g. that of ``sioproto.trio._http``."""
    parts = name.split(".")
    if parts[:2] == ["sioproto", "__main__"]:
        return CLI
    if ".".join(parts[:3]) in LAYERS:
        return ".".join(parts[:3])
    first_two = ".".join(parts[:2])
    return first_two if first_two in LAYERS or is_package(first_two) else CORE


def is_package(name: str) -> bool:
    return (ROOT / name.replace(".", "/") / "__init__.py").is_file()


def wrong_imports(path: Path, source: str) -> list[str]:
    """Imports by which a file of the library breaks the order of the layers."""
    layer = layer_of(module_of(path))
    if layer not in LAYERS:
        return [f"the layer {layer} has no import rule yet"]
    layers, libraries = LAYERS[layer]
    wrong = []
    for name in imports_of(path, source):
        top = name.partition(".")[0]
        if top == "sioproto":
            allowed = layer_of(name) in layers
        else:
            allowed = (
                top in sys.stdlib_module_names
                or top in libraries
                or top == EXTRAS.get(module_of(path))
            )
        if not allowed:
            wrong.append(f"{layer} imports {name}")
    return wrong


def wrong_imports_of_suite(path: Path, source: str) -> list[str]:
    """Imports by which a file of the suite leans on what it judges."""
    module = module_of(path)
    if module.startswith(SUITE_MEETS_LIBRARY):
        return []
    return [
        f"{module} imports {name}"
        for name in imports_of(path, source)
        if name.partition(".")[0] == "sioproto" and not name.startswith("sioproto.testing.strateg")
    ]


@pytest.mark.parametrize("path", LIBRARY, ids=str)
def test_layers_import_downwards(path: Path) -> None:
    assert wrong_imports(path, read(path)) == []


@pytest.mark.parametrize("path", SUITE, ids=str)
def test_suite_does_not_import_what_it_judges(path: Path) -> None:
    assert wrong_imports_of_suite(path, read(path)) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("sioproto/_json.py", "import sioproto.engineio"),
        ("sioproto/_json.py", "from .engineio import Request"),
        ("sioproto/_json.py", "def f():\n    import orjson"),
        ("sioproto/__init__.py", "from . import trio"),
        ("sioproto/engineio/_server.py", "from sioproto import socketio"),
        ("sioproto/engineio/_server.py", "from ..socketio._packet import Packet"),
        ("sioproto/engineio/_server.py", "from .. import socketio"),
        ("sioproto/socketio/_server.py", "if TYPE_CHECKING:\n    import trio"),
        ("sioproto/socketio/_server.py", "from sioproto._app import Server"),
        ("sioproto/socketio/_server.py", "def f():\n    import msgpack"),
        ("sioproto/socketio/_msgpack.py", "def f():\n    import orjson"),
        ("sioproto/socketio/_orjson.py", "def f():\n    import msgpack"),
        ("sioproto/socketio/_parser.py", "def f():\n    import orjson"),
        ("sioproto/_app/__init__.py", "import trio"),
        ("sioproto/_app/_server.py", "from sioproto.trio import Server"),
        ("sioproto/trio/_http.py", "import anyio"),
        ("sioproto/trio/_http.py", "import sioproto_conformance"),
        ("sioproto/trio/_http.py", "from sioproto.testing.trio import serving"),
        ("sioproto/testing/__init__.py", "import trio"),
        ("sioproto/testing/_pair.py", "from sioproto.testing.trio import serving"),
        ("sioproto/testing/trio/_client.py", "import hypothesis"),
        ("sioproto/testing/trio/_client.py", "import h11"),
        ("sioproto/trio/_client.py", "from sioproto._cli._main import main"),
        ("sioproto/trio/_client.py", "from sioproto.__main__ import main"),
        ("sioproto/_cli/_probe.py", "from sioproto.testing.trio import serving"),
        ("sioproto/_cli/_probe.py", "from sioproto.asgi import Server"),
        ("sioproto/_cli/_probe.py", "import httpx"),
        ("sioproto/__main__.py", "import msgpack"),
    ],
)
def test_import_rule_sees(path: str, source: str) -> None:
    assert len(wrong_imports(Path(path), source)) == 1


def test_import_rule_lets_pass() -> None:
    source = "import json, trio.abc, h11\nfrom .._app import Server\nfrom . import _http"
    assert wrong_imports(Path("sioproto/trio/_server.py"), source) == []
    source = "import trio.testing\nfrom sioproto.trio import Server\nfrom .. import x"
    assert wrong_imports(Path("sioproto/testing/trio/_client.py"), source) == []
    assert wrong_imports(Path("sioproto/socketio/_server.py"), "from ..engineio import *") == []
    source = (
        "import click, trio\nfrom sioproto._cli import _main\nfrom sioproto.trio import connect"
    )
    assert wrong_imports(Path("sioproto/__main__.py"), source) == []


@pytest.mark.parametrize(
    ("path", "source", "count"),
    [
        ("_runner.py", "import sioproto", 1),
        ("cases/eio4/polling.py", "def f():\n    from sioproto.engineio import Request", 1),
        ("broken_pipe/x.py", "import sioproto_conformance, json", 0),
        ("_fixture.py", "import sioproto.trio", 0),
        ("broken/_late.py", "from sioproto.engineio import _session", 0),
        ("_model.py", "from sioproto.testing.strategies import wire_text", 0),
        ("_model.py", "from sioproto.testing import strategies", 0),
        ("_model.py", "from sioproto.testing import Pair", 1),
    ],
)
def test_import_rule_of_suite_sees(path: str, source: str, count: int) -> None:
    full = Path("conformance/sioproto_conformance", path)
    assert len(wrong_imports_of_suite(full, source)) == count


# Purity: the machines do no I/O, read no clock, throw no dice, know no runtime

PURE_LAYERS = {CORE, ENGINE, SOCKET}
# A list of what may be used, not of what may not: a module outside it deserves a thought.
PURE_MODULES = {
    "__future__",
    "abc",
    "base64",
    "binascii",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "heapq",
    "itertools",
    "json",
    "math",
    "operator",
    "re",
    "sioproto",
    "string",
    "struct",
    "types",
    "typing",
    "urllib.parse",
    "zlib",
}
IMPURE_CALLS = {"__import__", "eval", "exec", "input", "open", "print"}
CLOCK_METHODS = {"now", "today", "utcnow"}
CLOCK_CLASSES = {"date", "datetime"}
ASYNC_NODES = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
# The application API runs on any runtime, so it may know none.
RUNTIMES = {
    "asyncio",
    "concurrent",
    "select",
    "selectors",
    "socket",
    "ssl",
    "subprocess",
    "threading",
}


# Samples for the rule below; it forbids whatever is not on the list above.
IMPURE_MODULES = [
    "anyio",
    "h11",
    "io",
    "logging",
    "os",
    "queue",
    "random",
    "secrets",
    "time",
    "trio",
]
IMPURE_MODULES += ["urllib", "urllib.request", "uuid", "wsproto"]


def impurities(path: Path, source: str) -> list[str]:
    """What in a file of the core depends on more than its arguments."""
    found = [
        f"imports {name}"
        for name in imports_of(path, source)
        if not any(name == pure or name.startswith(f"{pure}.") for pure in PURE_MODULES)
        and name != EXTRAS.get(module_of(path))
    ]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ASYNC_NODES) or (isinstance(node, ast.comprehension) and node.is_async):
            found.append(f"{type(node).__name__} in line {getattr(node, 'lineno', '?')}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in IMPURE_CALLS:
                found.append(f"calls {node.func.id} in line {node.lineno}")
        elif isinstance(node, ast.Attribute) and node.attr in CLOCK_METHODS:
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if name in CLOCK_CLASSES:
                found.append(f"reads the clock in line {node.lineno}")
    return found


def runtimes_used(path: Path, source: str) -> list[str]:
    return [name for name in imports_of(path, source) if name.partition(".")[0] in RUNTIMES]


@pytest.mark.parametrize(
    "path", [path for path in LIBRARY if layer_of(module_of(path)) in PURE_LAYERS], ids=str
)
def test_core_is_pure(path: Path) -> None:
    assert impurities(path, read(path)) == []


def test_application_api_knows_no_runtime() -> None:
    used = {
        str(path): runtimes_used(path, read(path))
        for path in LIBRARY
        if layer_of(module_of(path)) == APP
    }
    assert not any(used.values()), used


@pytest.mark.parametrize(
    "source",
    [
        *(f"import {name}" for name in (*sorted(RUNTIMES), *IMPURE_MODULES)),
        "def f():\n    from time import monotonic",
        "from urllib import request",
        "async def f(): pass",
        "async def f():\n    await g()",
        "f = [x async for x in y]",
        "import datetime\ndatetime.datetime.now()",
        "import datetime\ndatetime.date.today()",
        "from datetime import datetime\nclock = datetime.utcnow",
        "print('here')",
        "open('file')",
        "eval('1')",
    ],
)
def test_purity_rule_sees(source: str) -> None:
    assert impurities(Path("sioproto/engineio/_session.py"), source) != []


def test_purity_rule_lets_pass() -> None:
    source = (
        "from urllib.parse import unquote\nimport collections.abc\nfrom ._outputs import Event\n"
        "from datetime import UTC, datetime\n"
        "def f(self, *, now): return self.now, datetime.fromtimestamp(now, UTC), self.open()\n"
    )
    assert impurities(Path("sioproto/socketio/_handshake.py"), source) == []


def test_runtime_rule_sees() -> None:
    source = "import trio\nfrom asyncio import Queue\nimport threading"
    assert runtimes_used(Path("sioproto/_app/_x.py"), source) == ["asyncio.Queue", "threading"]


# Names: what is public says so

PUBLIC_MODULES = {"sioproto.testing.strategies"}


def is_public(module: str) -> bool:
    return not any(part.startswith("_") for part in module.split("."))


def misnamed(path: Path) -> list[str]:
    """A module that looks public without being one of the public namespaces."""
    module = module_of(path)
    if path.name == "__init__.py" or module in PUBLIC_MODULES or not is_public(module):
        return []
    return [f"{module} is no public namespace: begin its name with an underscore"]


def unsorted_exports(source: str) -> list[str]:
    """What is wrong with the ``__all__`` of a public namespace: constants, classes, the rest."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names = ast.literal_eval(node.value)
            ordered = sorted(
                dict.fromkeys(names),
                key=lambda name: (not name.isupper(), not name[0].isupper(), name),
            )
            return [] if list(names) == ordered else [f"__all__ should be {ordered}"]
    return ["there is no __all__"]


@pytest.mark.parametrize("path", LIBRARY, ids=str)
def test_modules_are_private_or_public_namespaces(path: Path) -> None:
    assert misnamed(path) == []


@pytest.mark.parametrize(
    "path", [path for path in LIBRARY if is_public(module_of(path))], ids=module_of
)
def test_public_namespaces_list_what_they_export(path: Path) -> None:
    assert unsorted_exports(read(path)) == []
    module = importlib.import_module(module_of(path))
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_name_rules_see() -> None:
    assert misnamed(Path("sioproto/engineio/packet.py")) != []
    assert misnamed(Path("sioproto/engineio/_packet.py")) == []
    assert misnamed(Path("sioproto/_app/anything.py")) == []
    assert unsorted_exports("x = 1") != []
    assert unsorted_exports("__all__ = ['b', 'a']") != []
    assert unsorted_exports("__all__ = ['Ab', 'CD']") != []
    assert unsorted_exports("__all__ = ['a', 'a']") != []
    assert unsorted_exports("__all__ = ['AB', 'Aa', 'a']") == []


# Size and words


def too_long(text: str) -> list[str]:
    count = text.count("\n") + (not text.endswith("\n"))
    return [f"{count} lines, at most {MAX_LINES}"] if count > MAX_LINES else []


# What belongs to the machine of whoever wrote a file. Written so that no pattern matches itself.
FOREIGN_WORDS = re.compile(
    r"/[w]ork/|/[r]oot/|/[h]ome/\w|/[t]mp/|DESIGN\.[m]d|style-[a]nchors|conformance-[a]nchors"
    r"|registry\.[n]pmjs|pythonhosted\.[o]rg|\"[r]esolved\":|\bissue #?[0-9]"
    r"|\b(TO)DO\b|\bFIX(ME)\b",
    re.IGNORECASE,
)


def foreign_words(text: str) -> list[str]:
    return [
        f"line {number}: {match.group()}"
        for number, line in enumerate(text.splitlines(), 1)
        for match in FOREIGN_WORDS.finditer(line)
    ]


SOURCES = [path for path in FILES if path.suffix in SOURCE_SUFFIXES or path.parts[0] == ".ci"]


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_no_source_file_is_too_long(path: Path) -> None:
    assert too_long(read(path)) == []


def test_project_speaks_of_itself_alone() -> None:
    found = {str(path): foreign_words(read(path)) for path in FILES}
    assert {path: words for path, words in found.items() if words} == {}


def test_size_and_word_rules_see() -> None:
    assert too_long("x\n" * 600) == []
    assert too_long("x\n" * 600 + "x") != []
    for sample in (
        "see /wo" + "rk/main",
        "in /tm" + "p/x",
        "/ho" + "me/me",
        "DESIGN" + ".md",
        '"resol' + 'ved": "https://somewhere"',
        "as iss" + "ue 2 says",
        "# TO" + "DO: later",
    ):
        assert foreign_words(f"fine\n{sample}\n") != [], sample
    assert foreign_words("a network / work of art, an issue, resolved, the homely todos") == []


def test_rules_look_at_something() -> None:
    """The files were found: an empty list would pass every rule above."""
    assert Path("sioproto/socketio/_server.py") in LIBRARY
    assert Path("conformance/sioproto_conformance/__main__.py") in SUITE
    assert Path("tests/test_house_rules.py") in SOURCES
    assert Path(".ci/run") in SOURCES
    assert Path("README.md") in FILES
