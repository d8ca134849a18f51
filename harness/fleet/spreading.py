"""Training, which is not timed, spread over machines: each student is trained once, and lies in the cache of every machine.

What is lost on the way costs time and no truth: a run trains whatever its cache lacks.
"""

from __future__ import annotations

import json
import math
import secrets
import tempfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.fleet.messages import Reply, Student, Weights
from harness.printable import one_line
from harness.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_TASKS = 2  # for each machine: more would share the work better, and start more processes
_MOST = 8  # students of a task: their weights are one message
_SHOWN = 3  # lines that a machine has printed


def spread(
    replies: Mapping[str, Reply], ask: Callable[[str, Mapping[str, Any]], Reply], say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Lets machines train the students that they need, each once, and gives every machine those of the others.

    Only machines with the same libraries share: elsewhere the same training is another one.

    Args:
        replies: what each machine has answered to the suite.
        ask: puts a request to a machine; raises HarnessError, which names the machine, where it or its answer is lost.
        say: hears how it goes.

    Returns:
        what was trained, by which machine and in how many seconds.
    """
    groups = [
        each for each in _same_machines(replies) if len(each) > 1 and any(replies[name].students for name in each)
    ]
    with tempfile.TemporaryDirectory(prefix="harness-weights-") as place:
        shared = [_Shared({name: replies[name].students for name in each}, ask, say, Path(place)) for each in groups]
        working = [(one, name) for one in shared for name in one.machines]
        with ThreadPoolExecutor(max(1, len(working))) as pool:
            list(pool.map(lambda both: both[0].train(both[1]), working))
            list(pool.map(lambda both: both[0].keep(both[1]), working))
    return [each for one in shared for each in one.done]


def _same_machines(replies: Mapping[str, Reply]) -> list[list[str]]:
    """Names of machines, those together that have the same libraries."""
    groups: dict[str, list[str]] = {}
    for name, reply in replies.items():
        versions = {**reply.facts.versions, "python": ""} if reply.facts else {}
        groups.setdefault(json.dumps(versions, sort_keys=True), []).append(name)
    return list(groups.values())


class _Shared:
    """Machines that train for each other."""

    def __init__(
        self,
        machines: Mapping[str, Sequence[Student]],
        ask: Callable[[str, Mapping[str, Any]], Reply],
        say: Callable[[str], None],
        place: Path,
    ) -> None:
        self.machines, self._ask, self._say, self._place = machines, ask, say, place
        students = list(dict.fromkeys(student for needed in machines.values() for student in needed))
        tasks = max(min(len(students), _TASKS * len(machines)), math.ceil(len(students) / _MOST))
        self._tasks = deque(tuple(students[number::tasks]) for number in range(tasks))
        self._arrived: list[tuple[str, Path]] = []
        self.done: list[dict[str, Any]] = []

    def train(self, name: str) -> None:
        """Has a machine train, task by task, until none is left; what a machine that is lost was training is not repeated."""
        for students in self._left():
            reply = self._answer(name, do="train", students=students)
            if reply is None:
                return
            weights = tuple(_signed(each, name) for each in reply.weights)
            path = self._place / secrets.token_hex(16)
            path.write_text(Reply(weights=weights).model_dump_json(), encoding="utf-8")
            self._arrived.append((name, path))
            for each in weights:
                about = {"machine": each.training.machine, "training_seconds": each.training.training_seconds}
                self.done.append({**each.student.model_dump(), **about})
            self._say(f"{name}: {counted(len(weights), 'student')} trained, of {len(students)} that it was asked for")
            for line in reply.output[-_SHOWN:] if len(weights) < len(students) else ():
                self._say(f"{name}: {one_line(line)}")

    def keep(self, name: str) -> None:
        """Gives a machine what the others have trained and it needs."""
        for trainer, path in self._arrived:
            sent = Reply.model_validate_json(path.read_text(encoding="utf-8")).weights
            weights = tuple(each for each in sent if each.student in self.machines[name])
            if trainer != name and weights and self._answer(name, do="keep", weights=weights) is None:
                return

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
            return None
        if reply.problem:
            self._say(f"{name}: {reply.problem}")
        return reply


def _signed(weights: Weights, machine: str) -> Weights:
    """With the name of the machine that has trained it, unless it has had it from another one itself."""
    training = weights.training.model_copy(update={"machine": weights.training.machine or machine})
    return weights.model_copy(update={"training": training})
