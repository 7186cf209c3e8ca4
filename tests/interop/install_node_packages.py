"""Install the pinned Node packages of the folders given, or say in one sentence why not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path


def main(folders: list[str]) -> None:
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        sys.exit("The interoperability tests need Node.js 18 or newer: `node` and `npm` on PATH.")
    for folder in folders:
        if not Path(folder, "package-lock.json").is_file():
            sys.exit(f"{folder} has no package-lock.json.")
        command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        if subprocess.run(command, cwd=folder, check=False).returncode != 0:
            sys.exit(f"npm could not install the packages locked in {folder}.")


if __name__ == "__main__":
    main(sys.argv[1:])
