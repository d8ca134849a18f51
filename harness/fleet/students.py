"""Students that a suite asks for before anything is timed; `python -m harness.fleet.students` trains some of them here."""

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
from harness.plan import plan as planning
from harness.plan.check import check_suite
from harness.process.child import ChildFailed
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


def needed(loaded: Loaded, *, quick: bool) -> tuple[Student, ...]:
    """The students of the table and of the N that searches list, each once, however many runtimes race it.

    What a search asks for on its way is not known before: it is trained by the machine that searches.
    """
    if loaded.suite.functions:
        return ()
    plan = planned(loaded, quick=quick)
    suite = plan.suite
    seeds = suite.training_seeds if suite.fidelity else suite.training_seeds[: int(suite.measurement.table)]
    wanted = [(cell.contender, cell.heads, seed) for cell in plan.sweep.cells for seed in seeds]
    for case in plan.sweep.cases:
        wanted += [(name, n, suite.training_seeds[0]) for name in (case.baseline, case.challenger) for n in case.points]
    found: dict[str, Student] = {}
    for name, heads, seed in wanted:
        specification = plan.specifications.get(name)  # none where its plugin or its device is not here
        if specification is not None and specification.trainer is not None:
            key = repr((_training_key(specification), heads, seed))
            found.setdefault(key, Student(contender=name, heads=heads, seed=seed))
    return tuple(found.values())


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
            specification = replace(plan.specifications[each.contender], training_seed=each.seed)
            asked = {"do": "train", "specification": specification.to_json(), "heads": each.heads}
            try:
                yield each, Path(builders.ask(asked, stage="train")["place"])
            except ChildFailed as failed:
                say(f"{each.contender} at N = {each.heads:,}, seed {each.seed}: {failed.failure.what}")
    finally:
        builders.close()


def main() -> None:
    """Trains the students that the second argument lists, and prints the folder of each; the first is who asks."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    end_with(int(sys.argv[1]))
    asked = json.loads(sys.argv[2])
    loaded = loading.load(Path(asked["suite"]), overrides=asked["settings"], only=asked["only"])
    plan = planned(loaded, quick=asked["quick"])
    students = [Student.model_validate(each) for each in asked["students"]]
    with machine_lock(f"training for {plan.suite.name}", print):
        places = {str(place): each.model_dump() for each, place in trained(plan, students, print)}
    print(json.dumps(places))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
