"""What has to be there before anything can be measured: programs, packages, a certificate."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import trustme

HERE = Path(__file__).parent
PROGRAMS = {
    "wsload": ("wsload.c", "link.c", "polling.c", "measure.c"),
    "ceiling": ("ceiling.c",),
}


class Missing(Exception):
    """Says in one sentence what has to be installed."""


@dataclass(frozen=True)
class Workshop:
    """The folder with all that is made for a run.

    Raises:
        Missing: while preparing.
    """

    folder: Path

    @property
    def certificate(self) -> Path:
        """Key and certificate of servers."""
        return self.folder / "certificate.pem"

    @property
    def authority(self) -> Path:
        """Who vouches for it."""
        return self.folder / "authority.pem"

    def prepare(self) -> None:
        """Make everything, as far as it is not there yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.compile(*PROGRAMS)
        self._install_node_packages()
        self._make_certificate()

    def compile(self, *names: str) -> None:
        """Compile programs in C."""
        compiler = shutil.which("cc")
        if compiler is None:
            raise Missing("The load generator needs a C compiler: `cc` on PATH.")
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            sources = [str(HERE / "load" / source) for source in PROGRAMS[name]]
            command = [compiler, "-O2", "-o", str(self.folder / name), *sources]
            if subprocess.run(command, check=False).returncode != 0:
                raise Missing(f"`cc` could not compile {name}, which needs Linux and its headers.")

    def _install_node_packages(self) -> None:
        npm = shutil.which("npm")
        if npm is None or shutil.which("node") is None:
            raise Missing("The bench needs Node.js 18 or newer: `node` and `npm` on PATH.")
        lock = HERE / "package-lock.json"
        installed = self.folder / lock.name
        if installed.exists() and installed.read_bytes() == lock.read_bytes():
            return
        shutil.copy(HERE / "package.json", self.folder)
        shutil.copy(lock, self.folder)
        command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
        if subprocess.run(command, cwd=self.folder, check=False).returncode != 0:
            installed.unlink()
            raise Missing("npm could not install the packages locked in bench/package-lock.json.")

    def _make_certificate(self) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(self.certificate)
        authority.cert_pem.write_to_path(self.authority)

    def environment(self) -> dict[str, str]:
        """The environment of servers and tools."""
        return {
            **os.environ,
            "NODE_PATH": str(self.folder / "node_modules"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def command(self, template: str, port: int) -> list[str]:
        """The command of a server, made of what the table of servers says."""
        places = {
            "python": sys.executable,
            "servers": str(HERE / "servers"),
            "build": str(self.folder),
            "port": str(port),
            "certificate": str(self.certificate),
        }
        return [word.format(**places) for word in template.split()]
