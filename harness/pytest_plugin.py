"""Suites as pytest-benchmark tests: `pytest suites/smoke.yaml --benchmark-only --benchmark-autosave`.

Each cell of a suite becomes one benchmark, grouped by N and batch size, and each search one test that fails where its
N* moved against a baseline run. A suite is measured once, by the harness itself and in its own processes; its
samples are then handed to pytest-benchmark through its public fixture, so that its options for comparing and failing
work.

Nothing but pytest is imported until a suite is collected.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.analysis.compare.runs import Comparison
    from harness.plan.plan import Plan
    from harness.plan.sweep import SearchCase
    from harness.records.measurement import Measurement
    from harness.records.reader import Evidence

_SUITE = re.compile(r"^contenders\s*:", re.MULTILINE)  # what no other YAML file of a test suite has at its top


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options; they do nothing unless a suite is collected."""
    parser.addini("harness_suites", "suite files that are measured beside the tests", type="linelist", default=[])
    group = parser.getgroup("harness", "suites of the crossover harness")
    group.addoption(
        "--harness-quick", action="store_true", help="measure suites with fewer launches and wider precision"
    )
    group.addoption(
        "--harness-output",
        metavar="DIR",
        help="folder for the records, of several suites one for each below it; default: results/<suite>-<UTC time>",
    )
    group.addoption(
        "--harness-compare",
        metavar="DIR",
        help="run whose crossovers must not have moved, up or down; of several suites the folder of their runs",
    )
    group.addoption("--harness-threshold", metavar="SHARE", help="relative move of N* that fails, such as 5%% or 0.05")


def pytest_configure(config: pytest.Config) -> None:
    """Collects the suites of the ini file where no file was named on the command line."""
    suites: Sequence[str] = config.getini("harness_suites")
    if suites and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args.extend(str(config.rootpath / each) for each in suites)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Takes YAML files that were named, on the command line or in the ini file, and that are suites."""
    if file_path.suffix not in (".yaml", ".yml"):
        return None
    configured = {parent.config.rootpath / each for each in parent.config.getini("harness_suites")}
    if not (parent.session.isinitpath(file_path) or file_path in configured):
        return None
    if not _SUITE.search(file_path.read_text(encoding="utf-8", errors="replace")):
        return None
    return SuiteFile.from_parent(parent, path=file_path)


class SuiteFile(pytest.File):
    """A suite: planned when it is collected, measured when the first of its tests runs."""

    _plan: Plan | None = None
    _evidence: Evidence | None = None
    _refused: str = ""  # why there is no evidence, for every test after the one that asked first
    _threshold: float | None = None

    def collect(self) -> Iterator[pytest.Item]:
        """One benchmark for each cell, one test for each search."""
        from harness.errors import HarnessError

        if not self.config.pluginmanager.has_plugin("benchmark"):
            raise self.CollectError("suites need pytest-benchmark: pip install 'crossover-harness[test]'")
        try:
            self._threshold = _share(self.config.getoption("--harness-threshold"))
            plan = self._plan = planned(self.path, quick=self.config.getoption("--harness-quick"))
        except HarnessError as error:
            raise self.CollectError(str(error)) from error
        from harness.report.pytest_benchmark import identity

        for cell in plan.sweep.cells:
            names = identity("", cell.contender, cell.heads, cell.batch_size)
            yield self._unlimited(CellItem.of(self, (cell.contender, cell.heads, cell.batch_size), names))
        for leg in plan.sweep.legs:
            name = f"crossover[{leg.race}-B={leg.batch_size}]"
            yield self._unlimited(CrossoverItem.from_parent(self, name=name, leg=leg))

    def _unlimited(self, item: pytest.Item) -> pytest.Item:
        """The item without a limit of pytest-timeout: the first one measures the whole suite, by its own deadlines."""
        if self.config.pluginmanager.has_plugin("timeout"):
            item.add_marker(pytest.mark.timeout(0))
        return item

    def evidence(self) -> Evidence:
        """What the run of this suite has left; it runs when this is first asked for, and fails only once."""
        from harness.errors import HarnessError

        if self._refused:
            _fail(self._refused)
        if self._evidence is None:
            assert self._plan is not None
            output = self.config.getoption("--harness-output")
            if output and self._several():
                output = str(Path(output) / self._plan.suite.name)
            try:
                self._evidence = measured(self._plan, output)
            except HarnessError as error:
                self._refused = str(error)
                _fail(self._refused)
            except Exception as error:
                self._refused = f"nothing was measured: {type(error).__name__}: {error}"
                raise
        return self._evidence

    def _several(self) -> bool:
        """Other suites are measured by this pytest too."""
        return len({item.path for item in self.session.items if isinstance(item, CellItem | CrossoverItem)}) > 1

    def comparison(self) -> Comparison | None:
        """This run against the baseline that was named; None where none was."""
        from harness.analysis.compare import runs
        from harness.errors import HarnessError
        from harness.records.reader import read

        folder = self.config.getoption("--harness-compare")
        if not folder:
            return None
        assert self._plan is not None
        own = Path(folder) / self._plan.suite.name
        try:
            return runs.compare(read(own if own.is_dir() else Path(folder)), self.evidence(), self._threshold)
        except HarnessError as error:
            _fail(str(error))


class CellItem(pytest.Function):
    """A cell as a test that has the `benchmark` fixture."""

    @classmethod
    def of(cls, parent: SuiteFile, cell: tuple[str, int, int], names: dict[str, Any]) -> CellItem:
        """The item of (contender, heads, batch size)."""
        timer = Replay()

        def replay(benchmark: Any) -> None:
            benchmark.skipped = True  # until there are samples: a cell that fails did use the fixture
            seconds = _samples(parent.evidence(), cell)
            benchmark.skipped = False
            timer.load(seconds)
            benchmark.group, benchmark.params, benchmark.param = names["group"], names["params"], names["param"]
            benchmark.extra_info["suite"] = parent.path.name
            benchmark.pedantic(lambda: None, rounds=len(seconds), iterations=1)

        item: CellItem = cls.from_parent(parent, name=names["name"], callobj=replay)
        item.add_marker(pytest.mark.benchmark(group=names["group"], timer=timer, disable_gc=False))
        return item

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The suite, not this file."""
        return self.path, 0, self.name


class CrossoverItem(pytest.Item):
    """A search as a test: it fails where N* moved against the baseline, in either direction."""

    fixturenames = ("benchmark",)  # measured like the cells, so that --benchmark-only does not skip it

    def __init__(self, *, leg: SearchCase, **rest: Any) -> None:
        super().__init__(**rest)
        self.leg = leg

    def runtest(self) -> None:
        """Reports what was found, and judges it where there is a baseline."""
        from harness.analysis.unchecked import marked, unchecked
        from harness.records.crossovers import load
        from harness.search.wording import sentence

        parent = self.parent
        assert isinstance(parent, SuiteFile)
        found = {(each.leg.race, each.leg.batch_size): each for each in load(parent.evidence().located)}
        place = (self.leg.race, self.leg.batch_size)
        if place not in found:
            _fail(f"{self.leg.label}: the search came to no answer")
        unproved = unchecked(parent.evidence().measurements)
        challenger, baseline = (marked(each, unproved) for each in (self.leg.challenger, self.leg.baseline))
        said = sentence(
            found[place].location, challenger, baseline, self.leg.batch_size, of_heads=self.leg.counts == "heads"
        )
        self.add_report_section("call", "crossover", said)
        self.user_properties.append(("crossover", said))
        if failed := _failed(each for each in parent.evidence().measurements if each.leg == self.leg.label):
            _fail(f"{self.leg.label}: {failed}")
        comparison = parent.comparison()
        if comparison is None:
            return
        if comparison.machine:
            pytest.skip(f"not comparable with the baseline: {'; '.join(comparison.machine)}")
        change = next((each for each in comparison.crossovers if (each.race, each.batch_size) == place), None)
        if change is None:
            pytest.skip("the baseline has no such search")
        if change.verdict == "moved":
            _fail(change.sentence)
        if change.verdict == "inconclusive":
            pytest.skip(change.sentence)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The suite, and the name of the test."""
        return self.path, 0, self.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The sentence alone: a traceback through pytest does not help."""
        if isinstance(excinfo.value, pytest.fail.Exception):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


class Replay:
    """A timer that makes pytest-benchmark see given durations, by answering 0, s0, 0, s1 and so on."""

    __name__ = "replay"  # pytest-benchmark writes a timer's name into its records

    def __init__(self) -> None:
        self._seconds: Iterator[float] = iter(())
        self._started = False

    def load(self, seconds: Sequence[float]) -> None:
        """Sets the durations of the rounds to come."""
        self._seconds, self._started = iter(seconds), False

    def __call__(self) -> float:
        """The time, of which only differences within a round mean something."""
        self._started = not self._started
        return 0.0 if self._started else next(self._seconds)


def _share(text: str | None) -> float | None:
    """The threshold that was asked for."""
    if text is None:
        return None
    from harness import units

    return units.parse_share(text, "--harness-threshold")


def planned(path: Path, *, quick: bool) -> Plan:
    """The plan of a suite file, as `harness run` makes it."""
    import dataclasses

    from harness.plan import plan as planning
    from harness.plan.check import check_suite
    from harness.suite import loading

    loaded = loading.load(path)
    if quick:
        loaded = dataclasses.replace(loaded, suite=planning.quick_variant(loaded.suite))
    return planning.plan(loaded, check_suite(loaded), quick=quick)


def measured(plan: Plan, output: str | None) -> Evidence:
    """Runs a plan, and reads what it has left."""
    from harness.records.reader import read
    from harness.run import session
    from harness.run.listeners import Silent

    folder = Path(output) if output else session.default_output(plan.suite, Path("results"))
    outcome = session.run(plan, folder, Silent())
    if outcome.interrupted:
        raise KeyboardInterrupt
    return read(outcome.folder)


def _samples(evidence: Evidence, cell: tuple[str, int, int]) -> list[float]:
    """The samples of a cell, or the reason why there are none as a failure of the test."""
    from harness.analysis.cells import summarise_cell
    from harness.report.pytest_benchmark import samples

    known = [each for each in evidence.measurements if each.cell == cell]
    if failed := _failed(known):
        _fail(failed)
    records = [each for each in known if each.purpose == "table"]
    if not records:
        _fail("the run ended before it was measured")
    seconds = samples(records)
    if not seconds and any(each.failure for each in records):
        pytest.skip(summarise_cell(records).failure)
    if not seconds:
        _fail(summarise_cell(records).failure or "not measured")
    return seconds


def _failed(records: Iterable[Measurement]) -> str:
    """The error of a contender, where one failed in any of these visits; empty where none did."""
    failing = [each for each in records if each.failing]
    if not failing:
        return ""
    first = min(failing, key=lambda each: (each.outcome != "failed", each.heads))
    what = f"{first.failure.stage}: {first.failure.what}" if first.failure else "failed"
    return f"{first.contender} at N = {first.heads:,}, batch {first.batch_size}: {what}"


def _fail(sentence: str) -> NoReturn:
    pytest.fail(sentence, pytrace=False)
