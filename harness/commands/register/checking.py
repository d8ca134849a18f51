"""Whether runs can be believed as far as their records say: each derived again from its raw seconds."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness import __version__
from harness.commands.register import plausibility
from harness.commands.register.entry import NAME, content, name_of, names, take
from harness.errors import HarnessError, RecordsError, UserError
from harness.printable import one_line
from harness.records.reader import read
from harness.records.seal import changes_since_end
from harness.report.verification import STORED, verify
from harness.run.session import DISTRIBUTION
from harness.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST = 3  # figures that a sentence names
_BESIDE = {"README.md", "README", "LICENSE"}  # what a register may hold beside its entries, and what begins with a dot


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A run, and why it is refused."""

    name: str  # as the register has it, or as it would have it
    about: str = ""  # suite, processor and day
    refused: tuple[str, ...] = ()  # sentences; empty where it is accepted
    agrees: str = ""  # what was derived again
    samples: Mapping[bytes, int] = field(default_factory=dict, repr=False)

    @property
    def accepted(self) -> bool:
        """Nothing speaks against it."""
        return not self.refused

    @property
    def sentence(self) -> str:
        """What is printed of it."""
        if self.accepted:
            return f"accepted {self.name}: {self.about}; {self.agrees}"
        return f"refused {one_line(self.name, 80)}: {'; '.join(self.refused)}"


def verified(folder: Path) -> tuple[Verdict, ...]:
    """Every run of a register, in the order of the names.

    Raises:
        UserError: where it is no register, or is empty.
    """
    if not folder.is_dir():
        raise UserError("there is no such folder", where=str(folder), next_step="name the folder of a register")
    held = [each for each in names(folder) if not each.startswith(".") and each not in _BESIDE]
    if not held:
        raise UserError(
            "the register holds no runs",
            where=str(folder),
            next_step=f"add one with `harness submit RUN --to {folder}`",
        )
    found = [_entry(folder, name) for name in held]
    owners: dict[bytes, str] = {}
    shared: dict[str, set[str]] = {}
    for each in found:
        for sample in each.samples:
            other = owners.setdefault(sample, each.name)
            if other != each.name:
                shared.setdefault(each.name, set()).add(other)
                shared.setdefault(other, set()).add(each.name)
    return tuple(_with(each, sorted(shared.get(each.name, ()))) for each in found)


def checked(folder: Path, into: Path, *, only: bool = False) -> Verdict:
    """A run alone; what was checked is afterwards in the other folder."""
    name = folder.name
    try:
        take(folder, into, only=only)
        reasons = list(changes_since_end(content(into), into))
        name = name_of(into)
        evidence = read(into)
        run = evidence.run
        about = f"{run.suite.get('name')}, {run.machine.get('processor')}, {run.started[:10]}"
        reasons += plausibility.doubts(evidence)
        samples = plausibility.samples(evidence)
        derived = verify(into)
    except HarnessError as error:
        return Verdict(name=name, refused=(one_line(str(error).replace(f"{into}{os.sep}", ""), 500),))
    except Exception as error:  # noqa: BLE001  whoever wrote the records chose what the analysis meets
        return Verdict(
            name=name, refused=(f"it cannot be derived again: {one_line(f'{type(error).__name__}: {error}')}",)
        )
    if not derived.agrees:
        shown = [str(each) for each in derived.moved[:_MOST]]
        rest = len(derived.moved) - len(shown)
        reasons.append("; ".join([derived.sentences[0], *shown, *([f"and {rest:,} more"] if rest > 0 else [])]))
    if derived.lacking and run.versions.get(DISTRIBUTION) == __version__:
        reasons.append(f"{STORED} lacks {counted(derived.lacking, 'figure')} that version {__version__} writes")
    return Verdict(
        name=name,
        about=one_line(about),
        refused=tuple(one_line(each, 500) for each in reasons),
        agrees=derived.sentences[0],
        samples=samples,
    )


def doubled(verdict: Verdict, register: Path) -> Iterator[str]:
    """The runs of a register that hold samples of this one under another name."""
    for name in names(register):
        if not NAME.fullmatch(name) or name == verdict.name:
            continue
        with tempfile.TemporaryDirectory(prefix="harness-register-") as made:
            try:
                take(register / name, Path(made), only=True)
                others = plausibility.samples(read(Path(made)))
            except HarnessError:
                continue  # `register verify` refuses it
        if others.keys() & verdict.samples.keys():
            yield name


def _entry(register: Path, name: str) -> Verdict:
    """One run of a register, whose name has to follow from what it holds."""
    if not NAME.fullmatch(name):
        return Verdict(
            name=name, refused=("its name is not that of an entry; remove it, or add it with `harness submit`",)
        )
    with tempfile.TemporaryDirectory(prefix="harness-register-") as made:
        found = checked(register / name, Path(made), only=True)
    reasons = found.refused
    if found.name != name:
        reasons = (*reasons, f"its records have the name {found.name}: they are not those that were submitted")
    return Verdict(name=name, about=found.about, refused=reasons, agrees=found.agrees, samples=found.samples)


def _with(verdict: Verdict, others: list[str]) -> Verdict:
    """The same, refused where other entries hold the same samples: nothing here says whose they are."""
    if not others:
        return verdict
    said = f"it holds samples that {others[0]} holds too: one of them is a copy"
    return Verdict(name=verdict.name, about=verdict.about, refused=(*verdict.refused, said), agrees=verdict.agrees)


def refusal(verdict: Verdict, folder: Path) -> RecordsError:
    """The error of a run that no register takes."""
    return RecordsError(
        f"the run is refused: {'; '.join(verdict.refused)}",
        where=str(folder),
        next_step="measure it again, and submit the folder as the run has left it",
    )


def as_json(found: tuple[Verdict, ...]) -> str:
    """For programs."""
    rows = [
        {"name": each.name, "accepted": each.accepted, "about": each.about, "refused": each.refused} for each in found
    ]
    return json.dumps({"schema_version": 1, "entries": rows}, indent=1) + "\n"
