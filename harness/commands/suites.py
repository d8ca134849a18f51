"""Suites from start to end: planned, measured with a display of progress, shown, saved. Commands of plugins call this."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from harness.commands.typed import as_typed
from harness.errors import DataError, HarnessError, SuiteError
from harness.plan import plan as planning
from harness.plan.check import check_suite
from harness.suite import loading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.analysis.summary import Summary
    from harness.plan.plan import Plan
    from harness.records.reader import Evidence


@dataclass(frozen=True, kw_only=True)
class SuiteRun:
    """What a suite has measured.

    Attributes:
        folder: holds the records and the report, in the files that docs/records.md describes.
        interrupted: by Ctrl-C or a signal; what was measured until then is kept.
        failed: the number of cells without a latency.
        plan, summary: as the harness itself holds them; their fields may change.
    """

    folder: Path
    interrupted: bool
    failed: int
    plan: Plan = field(repr=False)
    summary: Summary = field(repr=False)

    @property
    def exit_code(self) -> int:
        """The exit code of a command: 130 interrupted, 1 something failed, 0 done."""
        return 130 if self.interrupted else int(self.failed > 0)

    def show(self, *, verbose: bool = False) -> None:
        """Prints the report, as `harness run` does."""
        from rich.console import Console

        from harness.report import writing

        writing.show(self.summary, Console(), self.folder, verbose=verbose)

    def records(self) -> Evidence:
        """The records: `run`, `measurements`, `fidelities` and so on, with the fields that their JSON Schemas list."""
        from harness.records.reader import read

        return read(self.folder)

    def save(self, files: Mapping[str, Path]) -> list[str]:
        """Saves students, by contender, as safetensors, ONNX and a card; a line for each file.

        Raises:
            ContenderError: where a student cannot be built or saved.
        """
        from harness.commands import saving

        return saving.save(self.plan, self.summary, self.records().fidelities, files)


@dataclass(frozen=True, kw_only=True)
class PlannedSuite:
    """A suite that was checked against what is installed; nothing is measured yet.

    Attributes:
        source_heads: how many heads its source holds; None where it has no limit, or does not state it.
        plan: as the harness itself holds it; its fields may change.
        typed: what errors call the options of its source; see `plan_suite`.
    """

    source_heads: int | None = None
    plan: Plan = field(repr=False)
    typed: Mapping[str, str] = field(default_factory=dict, repr=False)

    def run(self, output: Path | None = None, *, save: Path | None = None) -> SuiteRun:
        """Measures the suite, with a display of progress.

        Args:
            output: where the records go; None for a new folder below results/.
            save: a file that `SuiteRun.save` will be asked to write; checked before anything is measured.

        Raises:
            HarnessError: where it cannot be measured.
        """
        if save is not None:
            from harness.commands import saving

            saving.checked(save)
        try:
            return measured(self.plan, output)
        except HarnessError as error:
            if not self.typed:
                raise
            raise as_typed(error, self.typed) from error


def plan_suite(
    suite: Mapping[str, Any], *, width: int | None = None, typed: Mapping[str, str] | None = None
) -> PlannedSuite:
    """Plans a suite that a program has made.

    Args:
        suite: what a suite's file would hold, as docs/suites.md describes it; relative paths start at the current folder.
        width: D that the user expects; another one in the data is an error.
        typed: what was typed for options of the source, such as `{"path": "--db my.db", "temperature": "--temperature"}`:
            errors name that instead of the suite.

    Raises:
        DataError: where the suite cannot be run; `where` is the key that is wrong, such as `source.options.path`.
    """
    try:
        loaded = loading.load(None, text=yaml.safe_dump(dict(suite), sort_keys=False))
        checked = check_suite(loaded)
    except SuiteError as error:  # of a suite without a file: its lines mean nothing
        problem = error.problems[0]
        raise as_typed(DataError(problem.what, where=problem.path, next_step=problem.hint), typed or {}) from error
    limits = [reply.limit for reply in checked.listing.replies if reply.limit]
    plan = replace(planning.plan(loaded, checked), width=width)
    return PlannedSuite(source_heads=next(iter(limits), None), plan=plan, typed=typed or {})


def measured(
    plan: Plan, output: Path | None, *, resume: Path | None = None, force: bool = False, retry: bool = False
) -> SuiteRun:
    """Runs a plan with a display of its progress."""
    from rich.console import Console

    from harness.report.progress import progress
    from harness.run import session
    from harness.run.machine_lock import machine_lock

    listener = progress(Console())
    folder = resume or output or session.default_output(plan.suite, Path("results"))
    try:
        with machine_lock(f"harness run of {plan.suite.name}", listener.say, wait=False):
            done = session.run(plan, folder, listener, resume=resume is not None, force=force, retry=retry)
    finally:
        listener.close()
    return SuiteRun(
        folder=done.folder, interrupted=done.interrupted, failed=done.failed, plan=plan, summary=done.summary
    )
