"""Suites as pytest-benchmark tests: `pytest suites/smoke.yaml --benchmark-only --benchmark-autosave`.

Each cell of a suite becomes one benchmark, grouped by N and batch size, and each search one test; both fail where they
differ from a baseline run. A suite is measured once, by the harness itself and in its own processes, also where
pytest-xdist has many workers; its samples are then handed to pytest-benchmark through its public fixture, so that its
options for comparing and failing work.

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

_OWN = ("contenders", "races", "heads", "sizes", "batch_sizes", "source", "measurement", "search", "training_seeds",
        "relative_to", "waterfall", "documented")  # fmt: skip
"""Keys at the top of a suite; `name` and `description` are those of many other files, too."""
_KEY = re.compile(r"^([A-Za-z_]+)\s*:", re.MULTILINE)
_NEAR = 0.75  # how alike a misspelt key is, from 0 to 1
_SENTENCE, _REPORT, _NOTE = "harness answer", "harness report", "harness note"  # properties of a test's report


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
        help="run against which no cell may be slower and no crossover may have moved, up or down; of several suites the "
        "folder of their runs",
    )
    group.addoption(
        "--harness-threshold",
        metavar="SHARE",
        help="relative change of a latency or of N* that fails, such as 5%% or 0.05; default: the suite's, or 5%%",
    )


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
    if file_path in configured:
        return SuiteFile.from_parent(parent, path=file_path)
    if not parent.session.isinitpath(file_path) or not _is_suite(file_path):
        return None
    return SuiteFile.from_parent(parent, path=file_path)


def _is_suite(path: Path) -> bool:
    """Whether a YAML file is meant as a suite, with whatever mistakes: an empty one, or one with a suite's keys.

    Other files that were named belong to other plugins.
    """
    from harness import plain_file

    try:
        text = plain_file.content(path, plain_file.MIB).decode(errors="replace")
    except OSError:  # no plain file, or larger than a suite can be
        return False
    keys = set(_KEY.findall(text))
    if not text.strip() or "contenders" in keys:
        return True
    import difflib

    near = {own for own in _OWN for key in keys if difflib.SequenceMatcher(None, own, key).ratio() >= _NEAR}
    return "contenders" in near or len(near) > 1


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A section with each N*, its interval, and the report's path; nothing where no suite was measured."""
    said: dict[str, None] = {}
    reports: dict[str, None] = {}
    for each in (report for kind in terminalreporter.stats.values() for report in kind):
        for name, value in getattr(each, "user_properties", ()):
            if name == _SENTENCE:
                said[f"{each.nodeid.partition('::')[0]}: {value}"] = None
            elif name in (_REPORT, _NOTE):
                reports[f"{'report' if name == _REPORT else 'note'}: {value}"] = None
    if said or reports:
        terminalreporter.section("crossovers")
        for line in (*said, *reports):
            terminalreporter.write_line(_on_one_line(line))


class SuiteFile(pytest.File):
    """A suite: planned when it is collected, measured when the first of its tests runs."""

    _plan: Plan | None = None
    _evidence: Evidence | None = None
    _comparison: Comparison | None = None
    _refused: str = ""  # why there is no evidence, for every test after the one that asked first
    _threshold: float | None = None
    notes: tuple[str, ...] = ()  # about the run, such as which one it waited for

    def collect(self) -> Iterator[pytest.Item]:
        """One benchmark for each cell, one test for each search; those that cannot run are tests that say so."""
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
        for skipped in plan.sweep.skipped:
            if skipped.cell.contender in {**plan.broken, **plan.absent}:
                names = identity("", skipped.cell.contender, skipped.cell.heads, skipped.cell.batch_size)
                broken = skipped.cell.contender in plan.broken
                yield OutItem.from_parent(self, name=names["name"], reason=skipped.reason, broken=broken)
        for case in plan.sweep.cases:
            name = f"crossover[{case.race}-B{case.batch_size}]"
            yield self._unlimited(CrossoverItem.from_parent(self, name=name, case=case))
        yield from self._races_that_cannot_run(plan)

    def _races_that_cannot_run(self, plan: Plan) -> Iterator[pytest.Item]:
        """A test for each race that lacks a contender: it fails where a plugin is broken, and is skipped without its device."""
        out = {**plan.absent, **plan.broken}
        for race in plan.suite.races:
            missing = [each for each in (race.baseline, race.challenger) if each in out]
            for batch_size in race.batch_sizes or plan.suite.batch_sizes if missing else ():
                reason = "; ".join(f"{each}: {out[each]}" for each in missing)
                name, broken = f"crossover[{race.name}-B{batch_size}]", any(each in plan.broken for each in missing)
                yield OutItem.from_parent(self, name=name, reason=reason, broken=broken)

    def _unlimited(self, item: pytest.Item) -> pytest.Item:
        """The item without a limit of pytest-timeout: the first one measures the whole suite, by its own deadlines."""
        if self.config.pluginmanager.has_plugin("timeout"):
            item.add_marker(pytest.mark.timeout(0))
        return item

    def evidence(self) -> Evidence:
        """What the run of this suite has left; it runs when this is first asked for, and fails only once."""
        from harness.errors import HarnessError

        if self._disabled:
            _skip("nothing is measured (--benchmark-disable active)")
        if self._refused:
            _fail(self._refused)
        if self._evidence is None:
            try:
                self._evidence = self._measured()
            except HarnessError as error:
                self._refused = str(error)
                _fail(self._refused)
            except Exception as error:
                self._refused = f"nothing was measured: {type(error).__name__}: {error}"
                raise
        return self._evidence

    @property
    def _disabled(self) -> bool:
        """The user asked for no benchmarks; that pytest-xdist disables pytest-benchmark's own is something else."""
        return bool(self.config.getoption("benchmark_disable") and not self.config.getoption("benchmark_enable"))

    def _measured(self) -> Evidence:
        """Measures the suite, in one of the workers of pytest-xdist, and on a machine that measures nothing else."""
        from harness.run.machine_lock import machine_lock
        from harness.run.shared_run import shared_run

        assert self._plan is not None
        plan, output = self._plan, self.config.getoption("--harness-output")
        if output and self._several():
            output = str(Path(output) / plan.suite.name)

        def measure() -> Evidence:
            with machine_lock(f"pytest of {self.path.name}", self._say):
                return measured(plan, output)

        worker = getattr(self.config, "workerinput", None)
        if worker is None:
            return measure()
        import hashlib

        from harness.records.reader import read

        digest = hashlib.sha256(str(self.path).encode()).hexdigest()[:16]
        return read(shared_run(f"{worker['testrunuid']}-{digest}", lambda: measure().folder))

    def _say(self, text: str) -> None:
        """Shows a note at once where there is a terminal, and in the summary."""
        self.notes = (*self.notes, text)
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"\n{_on_one_line(f'{self.path.name}: {text}')}")

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
        if self._comparison is None:
            try:
                before = read(own if own.is_dir() else Path(folder))
                self._comparison = runs.compare(before, self.evidence(), self._threshold)
            except HarnessError as error:
                _fail(str(error))
        if self._comparison.machine:
            _skip(f"not comparable with the baseline: {'; '.join(self._comparison.machine)}")
        return self._comparison

    def refuse_foreign_baseline(self) -> None:
        """Fails where pytest-benchmark is to fail on a baseline in which none of this suite's benchmarks is: it would pass."""
        session: Any = getattr(self.config, "_benchmarksession", None)
        baselines = getattr(session, "compared_mapping", None)
        if not baselines or not getattr(session, "compare_fail", None):
            return
        own = {item.nodeid for item in self.session.items if isinstance(item, CellItem) and item.path == self.path}
        if not any(own & set(mapping) for mapping in baselines.values()):
            path, mapping = next(iter(baselines.items()))
            known = f"such as {next(iter(mapping))!r}" if mapping else "none"
            _fail(
                f"the baseline {path} has no benchmark of this suite: it has {len(mapping)}, {known}, and this one is called "
                f"{min(own)!r}; measure or export a baseline from the root of this project"
            )

    def properties(self, item: pytest.Item) -> None:
        """Notes at a test where the run lies, for the summary at the end."""
        assert self._evidence is not None
        page = self._evidence.folder / "report.html"
        shown = page if page.exists() else self._evidence.folder
        item.user_properties.append((_REPORT, str(shown)))
        item.user_properties += [(_NOTE, f"{self.path.name}: {each}") for each in self.notes]


class CellItem(pytest.Function):
    """A cell as a test that has the `benchmark` fixture."""

    @classmethod
    def of(cls, parent: SuiteFile, cell: tuple[str, int, int], names: dict[str, Any]) -> CellItem:
        """The item of (contender, heads, batch size)."""
        timer = Replay()

        def replay(benchmark: Any) -> None:
            from harness.report.pytest_benchmark import extra_info

            benchmark.skipped = True  # until there are samples: a cell that fails did use the fixture
            evidence = parent.evidence()
            parent.properties(item)
            seconds = _samples(evidence, cell)
            benchmark.skipped = False
            timer.load(seconds)
            benchmark.group, benchmark.params, benchmark.param = names["group"], names["params"], names["param"]
            facts = {**extra_info(evidence, cell), "suite": parent.path.name}
            benchmark.extra_info.update(facts)
            item.user_properties += [(name, str(value)) for name, value in facts.items() if name != "crossovers"]
            benchmark.pedantic(lambda: None, rounds=len(seconds), iterations=1)
            parent.refuse_foreign_baseline()
            _judge_cell(parent.comparison(), cell)

        item: CellItem = cls.from_parent(parent, name=names["name"], callobj=replay)
        item.add_marker(pytest.mark.benchmark(group=names["group"], timer=timer, disable_gc=False))
        return item

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The suite, not this file."""
        return self.path, 0, self.name


class _SentenceItem(pytest.Item):
    """A test without a function, whose failure is a sentence."""

    fixturenames = ("benchmark",)  # measured like the cells, so that --benchmark-only does not skip it

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The suite, and the name of the test."""
        return self.path, 0, self.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The sentence alone: a traceback through pytest does not help."""
        if isinstance(excinfo.value, pytest.fail.Exception):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


class OutItem(_SentenceItem):
    """A cell or a search that cannot run: it fails where a plugin is broken, and is skipped where a device is absent."""

    def __init__(self, *, reason: str, broken: bool, **rest: Any) -> None:
        super().__init__(**rest)
        self._reason, self._broken = reason, broken

    def runtest(self) -> None:
        """Says why."""
        if self._broken:
            _fail(self._reason)
        _skip(self._reason)


class CrossoverItem(_SentenceItem):
    """A search as a test: it fails where N* moved against the baseline, in either direction."""

    def __init__(self, *, case: SearchCase, **rest: Any) -> None:
        super().__init__(**rest)
        self.case = case

    def runtest(self) -> None:
        """Reports what was found, and judges it where there is a baseline."""
        from harness.analysis.unchecked import marked, unchecked
        from harness.records.crossovers import load
        from harness.report.pytest_benchmark import answer
        from harness.search.wording import sentence

        parent = self.parent
        assert isinstance(parent, SuiteFile)
        evidence = parent.evidence()
        parent.properties(self)
        found = {(each.case.race, each.case.batch_size): each for each in load(evidence.located)}
        place = (self.case.race, self.case.batch_size)
        if place not in found:
            _fail(f"{self.case.label}: the search gave no answer")
        unproved = unchecked(evidence.measurements)
        challenger, baseline = (marked(each, unproved) for each in (self.case.challenger, self.case.baseline))
        location = found[place].location
        said = sentence(location, challenger, baseline, self.case.batch_size, of_heads=self.case.counts == "heads")
        self.add_report_section("call", "crossover", said)
        self.user_properties.append((_SENTENCE, f"{self.case.race}: {said}"))
        self.user_properties += [(name, str(value)) for name, value in answer(found[place]).items()]
        if failed := _failed(each for each in evidence.measurements if each.leg == self.case.label):
            _fail(f"{self.case.label}: {failed}")
        if location.status == "unresolved":
            _skip(f"{self.case.label}: {said}")
        comparison = parent.comparison()
        if comparison is None:
            return
        change = next((each for each in comparison.crossovers if (each.race, each.batch_size) == place), None)
        if change is None:
            _skip(_without(comparison, self.case.race, "search"))
        if change.verdict == "moved":
            _fail(change.sentence)
        if change.verdict == "inconclusive":
            _skip(change.sentence)


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


def _judge_cell(comparison: Comparison | None, cell: tuple[str, int, int]) -> None:
    """Fails where a cell is slower than the baseline, and skips it where that cannot be said."""
    if comparison is None:
        return
    change = next((each for each in comparison.cells if (each.contender, each.heads, each.batch_size) == cell), None)
    if change is None:
        _skip(_without(comparison, cell[0], "cell"))
    ends = f" ({change.joint.low:.3f} to {change.joint.high:.3f})" if change.joint.known else ""
    place = f"{change.contender} at N = {change.heads:,}, batch {change.batch_size}"
    said = f"{place}: {change.verdict}: {change.change.value:.3f} times the seconds of {comparison.old}{ends}"
    if change.verdict == "slower":
        _fail(said)
    if change.verdict == "inconclusive":
        needed = f"; {change.launches_needed} launches of both would decide it" if change.launches_needed else ""
        _skip(f"{said}{needed}")


def _without(comparison: Comparison, name: str, what: str) -> str:
    """Why the baseline has nothing to compare with."""
    changed = [each for each in comparison.changed if name in each]
    return f"not compared with the baseline: {'; '.join(changed)}" if changed else f"the baseline has no such {what}"


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
        _skip(summarise_cell(records).failure)
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
    pytest.fail(_on_one_line(sentence), pytrace=False)


def _skip(sentence: str) -> NoReturn:
    pytest.skip(_on_one_line(sentence))


def _on_one_line(text: str) -> str:
    """What comes of runs and plugins, without what a terminal would obey."""
    from harness.printable import printable

    return printable(text)
