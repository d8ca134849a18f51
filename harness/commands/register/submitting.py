"""A run added to a register: a folder, or a branch of a git repository."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.commands.register import repository
from harness.commands.register.checking import Verdict, checked, doubled, refusal
from harness.commands.register.entry import names
from harness.errors import RecordsError, UserError
from harness.records.writer import writing


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What was added where."""

    name: str
    place: str  # a folder, or an address with its branch and commit
    added: bool  # False where the register had it already

    @property
    def sentence(self) -> str:
        """What is printed."""
        return f"{'added' if self.added else 'already there'}: {self.name} in {self.place}"


def submit(run: Path, to: str) -> Submission:
    """Checks a run as `register verify` does, and adds its records under a name that follows from them.

    Args:
        run: folder of a complete run.
        to: a folder, or `git+` and the path or address of a repository, with `#branch` where it is not its own.

    Raises:
        RecordsError: where the run is refused, or holds samples of one that is there.
        UserError: where the register cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="harness-submit-") as made:
        taken = Path(made) / "run"
        taken.mkdir()
        verdict = checked(run, taken)
        if not verdict.accepted:
            raise refusal(verdict, run)
        if to.startswith(repository.PREFIX):
            return _to_git(verdict, taken, to, Path(made))
        return _to_folder(verdict, taken, Path(to))


def _to_folder(verdict: Verdict, taken: Path, register: Path) -> Submission:
    if register.exists() and not register.is_dir():
        raise UserError("this is not a folder", where=str(register), next_step="name a folder with --to")
    if (register / "run.json").exists():
        raise UserError("this is the folder of a run", where=str(register), next_step="name the folder of a register")
    target = register / verdict.name
    if target.exists() or target.is_symlink():
        return Submission(name=verdict.name, place=str(register), added=False)
    _refuse_doubled(verdict, register)
    with writing(register):
        register.mkdir(parents=True, exist_ok=True)
        incoming = Path(tempfile.mkdtemp(prefix=".incoming-", dir=register))
        try:
            for each in taken.iterdir():
                shutil.copyfile(each, incoming / each.name)
            incoming.chmod(0o755)
            incoming.rename(target)  # readers see all of it or nothing
        except BaseException:
            with contextlib.suppress(OSError):
                shutil.rmtree(incoming)
            raise
    return Submission(name=verdict.name, place=str(register), added=True)


def _to_git(verdict: Verdict, taken: Path, to: str, made: Path) -> Submission:
    with repository.opened(to, made) as found:
        register = made / "register"
        found.export(register)
        place = f"{found.address}, branch {found.branch}"
        if (register / verdict.name).exists():
            return Submission(name=verdict.name, place=place, added=False)
        _refuse_doubled(verdict, register)
        files = {f"{verdict.name}/{name}": taken / name for name in names(taken)}
        commit = found.add(files, f"Add {verdict.name}\n\n{verdict.about}\n")
    return Submission(name=verdict.name, place=f"{place}, commit {commit[:12]}", added=True)


def _refuse_doubled(verdict: Verdict, register: Path) -> None:
    for other in doubled(verdict, register):
        raise RecordsError(f"the register has samples of this run as {other}", where=str(register))
