"""Virtual environments for tests: they see the libraries of this one, but neither its harness nor its plugins."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A virtual environment and a cache of its own."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Environment:
        """An empty one; `.pth` files of this environment, such as an editable harness's, are not read there."""
        venv.create(folder / "venv", with_pip=False)
        environment = cls(folder=folder)
        packages = [each for each in sys.path if Path(each).name in ("site-packages", "dist-packages")]
        (environment.packages / "zz_libraries.pth").write_text("\n".join(packages) + "\n")
        return environment

    @property
    def packages(self) -> Path:
        """Its site-packages."""
        (found,) = (self.folder / "venv" / "lib").glob("python*/site-packages")
        return found

    def install(self, *what: str) -> None:
        """Installs without asking any index."""
        python = str(self.folder / "venv" / "bin" / "python")
        flags = [
            "--no-index",
            "--no-deps",
            "--no-build-isolation",
            "--ignore-installed",
            "--disable-pip-version-check",
            "-q",
        ]
        self._checked([sys.executable, "-m", "pip", "--python", python, "install", *flags, *what])

    def run(self, *command: str, cwd: Path | None = None, code: int = 0) -> str:
        """Runs a program of this environment; its exit code must be as expected. Returns what it printed."""
        program = str(self.folder / "venv" / "bin" / command[0])
        return self._checked([program, *command[1:]], cwd=cwd, code=code)

    def _checked(self, command: list[str], *, cwd: Path | None = None, code: int = 0) -> str:
        variables = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        variables |= {"HARNESS_CACHE": str(self.folder / "cache"), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        done = subprocess.run(
            command, cwd=cwd or self.folder, env=variables, capture_output=True, text=True, check=False, timeout=170
        )  # fmt: skip
        assert done.returncode == code, f"{' '.join(command)} gave {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


def wheel(project: Path, folder: Path) -> str:
    """Builds a project's wheel, and says where it is."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        str(folder),
        str(project),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return str(built)
