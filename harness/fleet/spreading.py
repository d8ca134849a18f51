"""Training and scoring, which are not timed, spread over machines: each is done once, and every machine has what comes of it.

What is lost on the way costs time and no truth: a run trains and scores whatever it does not find.
"""

from __future__ import annotations

import json
import math
import secrets
import tempfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import HarnessError
from harness.fleet.messages import Reply, Student, Weights
from harness.printable import one_line
from harness.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.records.measurement import Fidelity

_TASKS = 2  # for each machine: more would share the work better, and start more processes
_MOST = 8  # students of a task: their weights are one message
_SHOWN = 3  # lines that a machine has printed


def spread(
    replies: Mapping[str, Reply], ask: Callable[[str, Mapping[str, Any]], Reply], say: Callable[[str], None]
) -> dict[str, list[dict[str, Any]]]:
    """Lets machines train the students that they need and score them, each once, and gives every machine those of the others.

    Only machines with the same libraries share: elsewhere the same training is another one.

    Args:
        replies: what each machine has answered to the suite.
        ask: puts a request to a machine; raises HarnessError, which names the machine, where it or its answer is lost.
        say: hears how it goes.

    Returns:
        `students` and `scores`: what was trained and what was scored, and by which machine.
    """
    groups = [each for each in _same_machines(replies) if len(each) > 1]
    lost = set[str]()
    with tempfile.TemporaryDirectory(prefix="harness-weights-") as folder:

        def together(do: Literal["train", "score"], needed: Mapping[str, Sequence[Student]]) -> list[dict[str, Any]]:
            members = [{name: needed[name] for name in each if name not in lost} for each in groups]
            shared = [_Shared(do, each, ask, say, Path(folder)) for each in members if any(each.values())]
            working = [(one, name) for one in shared for name in one.machines]
            with ThreadPoolExecutor(max(1, len(working))) as pool:
                list(pool.map(lambda both: both[0].work(both[1]), working))
                list(pool.map(lambda both: both[0].keep(both[1]), working))
            lost.update(name for one in shared for name in one.lost)
            return [each for one in shared for each in one.done]

        return {
            "students": together("train", {name: each.students for name, each in replies.items()}),
            "scores": together("score", {name: each.unscored for name, each in replies.items()}),
        }


def _same_machines(replies: Mapping[str, Reply]) -> list[list[str]]:
    """Names of machines, those together that have the same libraries."""
    groups: dict[str, list[str]] = {}
    for name, reply in replies.items():
        versions = {**reply.facts.versions, "python": ""} if reply.facts else {}
        groups.setdefault(json.dumps(versions, sort_keys=True), []).append(name)
    return list(groups.values())


class _Shared:
    """Machines that train or score for each other.

    Args:
        do: which of the two.
        machines: the students that each of them needs, by its name.
        ask: as of `spread`.
        say: as of `spread`.
        place: a folder for what is on its way.
    """

    def __init__(
        self,
        do: Literal["train", "score"],
        machines: Mapping[str, Sequence[Student]],
        ask: Callable[[str, Mapping[str, Any]], Reply],
        say: Callable[[str], None],
        place: Path,
    ) -> None:
        self.machines, self._do, self._ask, self._say, self._place = machines, do, ask, say, place
        students = list(dict.fromkeys(student for needed in machines.values() for student in needed))
        tasks = max(min(len(students), _TASKS * len(machines)), math.ceil(len(students) / _MOST))
        self._tasks = deque(tuple(students[number::tasks]) for number in range(tasks))
        self._arrived: list[tuple[str, Path]] = []
        self.done: list[dict[str, Any]] = []
        self.lost = set[str]()

    def work(self, name: str) -> None:
        """Gives a machine task after task until none is left; what a machine that is lost was doing is not repeated."""
        for students in self._left():
            reply = self._answer(name, do=self._do, students=students)
            if reply is None:
                return
            made = Reply(
                weights=tuple(_signed(each, name) for each in reply.weights),
                scores=tuple(_noted(each, name) for each in reply.scores),
            )
            path = self._place / secrets.token_hex(16)
            path.write_text(made.model_dump_json(), encoding="utf-8")
            self._arrived.append((name, path))
            for trained in made.weights:
                told = {"machine": trained.training.machine, "training_seconds": trained.training.training_seconds}
                self.done.append({**trained.student.model_dump(), **told})
            self.done += [{**_scored(each).model_dump(), "machine": name} for each in made.scores]
            many, did = len(made.weights) + len(made.scores), "trained" if self._do == "train" else "scored"
            self._say(f"{name}: {counted(many, 'student')} {did}, of {len(students)} that it was asked for")
            for line in reply.output[-_SHOWN:] if many < len(students) else ():
                self._say(f"{name}: {one_line(line)}")

    def keep(self, name: str) -> None:
        """Gives a machine what the others have done and it needs."""
        for worker, path in self._arrived:
            if name in self.lost:
                return
            sent = Reply.model_validate_json(path.read_text(encoding="utf-8"))
            weights = tuple(each for each in sent.weights if each.student in self.machines[name])
            scores = tuple(each for each in sent.scores if _scored(each) in self.machines[name])
            if worker != name and (weights or scores):
                self._answer(name, do="keep", weights=weights, scores=scores)

    def _left(self) -> Iterator[tuple[Student, ...]]:
        while True:
            try:
                yield self._tasks.popleft()
            except IndexError:
                return

    def _answer(self, name: str, **what: Any) -> Reply | None:
        """What a machine answers; None where it is lost, which its run will tell again."""
        try:
            reply = self._ask(name, what)
        except HarnessError as error:
            self._say(str(error))
            self.lost.add(name)
            return None
        if reply.problem:
            self._say(f"{name}: {reply.problem}")
        return reply


def _scored(score: Fidelity) -> Student:
    """Who a score is of."""
    return Student(contender=score.contender, heads=score.heads, seed=score.seed)


def _noted(score: Fidelity, machine: str) -> Fidelity:
    """A score for the records of other machines: its last note names the machine that it is of."""
    return score.model_copy(update={"notes": (*score.notes, f"scored on {one_line(machine)}")})


def _signed(weights: Weights, machine: str) -> Weights:
    """With the name of the machine that has trained it, unless it has had it from another one itself."""
    training = weights.training.model_copy(update={"machine": weights.training.machine or machine})
    return weights.model_copy(update={"training": training})
