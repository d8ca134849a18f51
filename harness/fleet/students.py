"""Students and scores that a suite asks for before anything is timed; `python -m harness.fleet.students` makes some of them."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.fleet.lifetime import end_with
from harness.fleet.messages import Student
from harness.measure.builders import Builders, settings_of
from harness.measure.pool import BuilderClient
from harness.measure.scoring import Scoring
from harness.plan import plan as planning
from harness.plan.check import check_suite
from harness.plugin.interfaces import Runtime
from harness.process.child import ChildFailed
from harness.records.measurement import Fidelity
from harness.run.machine_lock import machine_lock
from harness.suite import loading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.plan.plan import Plan
    from harness.plan.specification import Specification
    from harness.suite.loading import Loaded


def planned(loaded: Loaded, *, quick: bool) -> Plan:
    """The plan that `harness run` would have."""
    if quick:
        loaded = replace(loaded, suite=planning.quick_variant(loaded.suite))
    return planning.plan(loaded, check_suite(loaded), quick=quick)


def wanted(loaded: Loaded, *, quick: bool) -> tuple[tuple[Student, ...], tuple[Student, ...]]:
    """The students that are to be trained, and those whose scores any machine may make."""
    if loaded.suite.functions:
        return (), ()
    plan = planned(loaded, quick=quick)
    return trainable(plan), scorable(plan)


def trainable(plan: Plan) -> tuple[Student, ...]:
    """The students of the table and of the N that searches list, each once, however many runtimes race it.

    What a search asks for on its way is not known before: it is trained by the machine that searches.
    """
    suite = plan.suite
    seeds = suite.training_seeds if suite.fidelity else suite.training_seeds[: int(suite.measurement.table)]
    asked = [(cell.contender, cell.heads, seed) for cell in plan.sweep.cells for seed in seeds]
    for case in plan.sweep.cases:
        asked += [(name, n, suite.training_seeds[0]) for name in (case.baseline, case.challenger) for n in case.points]
    found: dict[str, Student] = {}
    for name, heads, seed in asked:
        specification = plan.specifications.get(name)  # none where its plugin or its device is not here
        if specification is not None and specification.trainer is not None:
            key = repr((_training_key(specification), heads, seed))
            found.setdefault(key, Student(contender=name, heads=heads, seed=seed))
    return tuple(found.values())


def scorable(plan: Plan) -> tuple[Student, ...]:
    """What is scored at the N of the sweep and has the same score on every processor, up to rounding.

    That is so where each machine proves, before it times a contender, that its answers are those of the float64 reference
    within the rounding of float32; what has fewer bits, and what is on another device, is scored where it is raced.
    """
    exact = {
        name
        for name, each in plan.specifications.items()
        if each.device_kind == "cpu" and each.tolerance <= Runtime.tolerance
    }
    cells = [cell for cell in plan.sweep.cells if plan.suite.fidelity and cell.contender in exact]
    found = [(cell.contender, cell.heads, seed) for cell in cells for seed in plan.suite.scored_seeds(cell.contender)]
    return tuple(Student(contender=name, heads=heads, seed=seed) for name, heads, seed in dict.fromkeys(found))


def _training_key(each: Specification) -> tuple[Any, ...]:
    """What contenders have in common whose students are one: neither their runtime nor its threads."""
    return each.source, each.projector, each.teacher, each.trainer, each.seed, each.training_threads, each.device_kind


def trained(plan: Plan, students: Sequence[Student], say: Callable[[str], None]) -> Iterator[tuple[Student, Path]]:
    """Trains students that are not in the cache yet, and gives the folder of each.

    One that fails is said and passed over: the run tries it again, and records how it fails.
    """
    builders = Builders(plan.specifications, settings_of(plan), plan.suite.measurement.deadline_seconds)
    try:
        for each in students:
            asked = {"do": "train", "specification": _seeded(plan, each).to_json(), "heads": each.heads}
            try:
                yield each, Path(builders.ask(asked, stage="train")["place"])
            except ChildFailed as failed:
                say(_failed(each, failed))
    finally:
        builders.close()


def scored(plan: Plan, students: Sequence[Student], say: Callable[[str], None]) -> Iterator[Fidelity]:
    """Scores students, and proves that their answers are those of their float64 reference.

    One that fails is said and passed over: each machine scores its own.
    """
    how = plan.suite.measurement
    workshop = BuilderClient(plan.specifications, plan.batch_sizes, settings_of(plan), how.deadline_seconds)
    scoring = Scoring.of(plan, workshop)
    runtimes = {name: contender.runtime for name, contender in plan.suite.contenders.items()}
    try:
        for each in sorted(students, key=lambda one: runtimes[one.contender]):  # a process for each runtime
            try:
                found = scoring.score(_seeded(plan, each), each.heads, plan.batch_sizes[each.contender], prove=True)
                yield Fidelity(**each.model_dump(), **found)
            except ChildFailed as failed:
                say(_failed(each, failed))
    finally:
        scoring.close()
        workshop.close()


def _seeded(plan: Plan, student: Student) -> Specification:
    return replace(plan.specifications[student.contender], training_seed=student.seed)


def _failed(student: Student, failed: ChildFailed) -> str:
    return f"{student.contender} at N = {student.heads:,}, seed {student.seed}: {failed.failure.what}"


def main() -> None:
    """Trains or scores the students that the second argument lists, and prints what came of it; the first is who asks."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    end_with(int(sys.argv[1]))
    asked = json.loads(sys.argv[2])
    loaded = loading.load(Path(asked["suite"]), overrides=asked["settings"], only=asked["only"])
    plan = planned(loaded, quick=asked["quick"])
    students = [Student.model_validate(each) for each in asked["students"]]
    made: list[dict[str, Any]]
    doing = "training" if asked["do"] == "train" else "scoring"
    with machine_lock(f"{doing} for {plan.suite.name}", print):
        if asked["do"] == "train":
            made = [
                {"student": each.model_dump(), "place": str(place)} for each, place in trained(plan, students, print)
            ]
        else:
            made = [each.model_dump(mode="json") for each in scored(plan, students, print)]
    print(json.dumps(made))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
