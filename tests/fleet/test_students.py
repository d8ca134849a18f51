"""Training and scoring spread over machines: each done once, everywhere before anything is timed, nothing lost where one dies."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

import pytest
import yaml
from filelock import FileLock

from harness.errors import HarnessError, RecordsError, UserError
from harness.fleet import coordinator, spreading, students, unit, weights
from harness.fleet.messages import Facts, MachineRequest, Reply, Student, Training, Weights
from harness.measure.artifacts import Artifacts
from harness.measure.builder import Builder
from harness.measure.builders import settings_of
from harness.plugin.execution import Executor, Handle, Machine
from harness.records.measurement import Fidelity
from harness.records.reader import read, read_lines
from harness.report.verification import verify
from harness.run import session
from harness.run.listeners import Silent
from harness.suite import loading
from tests.fleet.fleet import written

DIGEST = "0" * 64
FACTS = Facts(harness="1", code=DIGEST, suite=DIGEST, versions={"torch": "2.13", "python": "3.12.1"})
SUITE = {
    "name": "taught",
    "source": {"use": "playbook"},
    "heads": {"values": [16, 18]},
    "batch_sizes": [1],
    "training_seeds": [0, 1],
    "contenders": {
        "exact": {"projector": "lda", "runtime": "python"},
        "student": {
            "projector": "mlp", "runtime": "eager", "trainer": {"use": "distillation", "options": {"epochs": 1}},
        },
        "exported": {
            "projector": "mlp", "runtime": "onnxruntime", "threads": 2, "heads": {"from": 16, "to": 16},
            "trainer": {"use": "distillation", "options": {"epochs": 1}},
        },
    },
}  # fmt: skip


def loaded(**more):
    return loading.load(None, text=yaml.safe_dump({**SUITE, **more}))


def student(number):
    return Student(contender="s", heads=number + 1, seed=0)


def sent(one, *, machine="", contents="AAAA"):
    """A student as a machine sends it; the contents of three bytes of 0 are no safetensors, and are not loaded here."""
    parts = {"student": 1, "trainer": 2, "teacher": 3, "data": 4, "seed": one.seed, "heads": one.heads}
    training = Training(
        parts=parts, contender=one.contender, heads=one.heads, what="s", training_seconds=1.5, training_steps=1,
        notes=("early stop",), losses={"loss": (0.5,)}, machine=machine,
    )  # fmt: skip
    digest = "709e80c88487a2411e1ee4dfb9f22a861492d20c4765150c0c794abd70f8147c"
    return Weights(student=one, training=training, contents=contents, sha256=digest)


def score(one):
    """A score as a machine sends it."""
    return Fidelity(**one.model_dump(), temperature=0.1, scores={"mean_cosine": 0.5}, data="d", notes=("early stop",))


# ------------------------------------------------------------------------------------------------------ on a machine


def test_each_student_is_asked_for_once_however_many_runtimes_race_it(answered_here):
    found, scored = students.wanted(loaded(), quick=False)
    assert sorted((each.heads, each.seed) for each in found) == [(16, 0), (16, 1), (18, 0), (18, 1)]
    assert sorted((each.contender, each.heads, each.seed) for each in scored) == [
        ("exported", 16, 0), ("exported", 16, 1),
        ("student", 16, 0), ("student", 16, 1), ("student", 18, 0), ("student", 18, 1),
    ]  # fmt: skip
    found, scored = students.wanted(loaded(fidelity=False), quick=False)
    assert [each.seed for each in found] == [0, 0]
    assert scored == ()


def test_functions_have_no_students(tmp_path):
    assert students.wanted(loading.load(written(tmp_path)), quick=False) == ((), ())


def test_what_may_answer_otherwise_on_another_processor_is_scored_where_it_is_raced(answered_here):
    exact = {"projector": "lda", "runtime": "python", "scored": True}
    named = {
        "exact": exact, "int8": exact | {"runtime": "onnxruntime-int8"}, "loose": exact | {"tolerance": 0.01},
        "unscored": exact | {"scored": False},
    }  # fmt: skip
    plan = students.planned(loaded(contenders=named), quick=False)
    assert {each.contender for each in students.scorable(plan)} == {"exact"}
    elsewhere = {name: replace(each, device="cuda:1") for name, each in plan.specifications.items()}
    assert students.scorable(replace(plan, specifications=elsewhere)) == ()


def test_what_one_machine_has_trained_another_does_not_train_again(answered_here, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "a"))
    plan = students.planned(loaded(), quick=False)
    wanted = Student(contender="student", heads=16, seed=1)
    failing = Student(contender="student", heads=10**6, seed=0)  # more heads than there are
    said = []
    ((one, place),) = students.trained(plan, [failing, wanted], said.append)
    assert one == wanted
    assert said[0].startswith("student at N = 1,000,000, seed 0: ")
    travelling = Weights.model_validate_json(weights.packed(wanted, place).model_dump_json())
    signed = spreading._signed(travelling, "a")

    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "b"))
    kept = weights.keep(signed)
    assert kept.name == place.name
    assert (kept / "student.safetensors").read_bytes() == (place / "student.safetensors").read_bytes()
    there = students.planned(loaded(), quick=False)
    builder = Builder(settings_of(there))
    specification = replace(there.specifications["student"], training_seed=1).to_json()
    asked = {"specification": specification, "heads": 16, "batch_sizes": [1], "queries": str(tmp_path / "queries.npy")}
    scored = builder.hold_out(asked)
    assert scored["cached"] is True
    assert list(scored["notes"]) == [
        "1 of 1 epochs",
        "trained on a",
    ]  # so that its record says whose seconds its training took
    (trained,) = (each for each in Artifacts(tmp_path / "b").entries() if "losses" in each.about)
    assert trained.key == place.name


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"contents": "AAAB"}, "a student was damaged on its way"),
        ({"training": sent(student(1)).training.model_copy(update={"parts": {"runtime": 1}})}, "is no trained student"),
    ],
)
def test_what_is_no_student_is_not_kept(tmp_path, monkeypatch, change, sentence):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=sentence):
        weights.keep(sent(student(1)).model_copy(update=change))
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_machine_that_has_trained_a_student_keeps_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    first = weights.keep(sent(student(1), machine="a"))
    second = weights.keep(sent(student(1), machine="b"))
    assert first == second
    (entry,) = Artifacts(tmp_path).entries()
    assert entry.about["notes"] == ["early stop", "trained on a"]


def test_a_score_of_another_machine_stands_in_the_records_and_nothing_is_trained_for_it(
    answered_here, tmp_path, monkeypatch
):
    suite = loaded(
        heads={"values": [16]}, measurement={"table": False}, contenders={"student": SUITE["contenders"]["student"]}
    )
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "a"))
    plan = students.planned(suite, quick=False)
    first, second = (spreading._noted(each, "a") for each in students.scored(plan, students.scorable(plan), print))
    assert (first.seed, second.seed) == (0, 1)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "b"))
    other = second.model_copy(update={"data": "of other heads"})
    plan = replace(
        students.planned(suite, quick=False), scored={(each.contender, 16, each.seed): each for each in (first, other)}
    )
    session.run(plan, tmp_path / "out", Silent())
    kept, own = read(tmp_path / "out").fidelities
    assert kept == first
    assert kept.notes[-1] == "scored on a"
    assert own.data == second.data
    assert "scored on a" not in own.notes
    (trained,) = (each for each in Artifacts(tmp_path / "b").entries() if "losses" in each.about)
    assert trained.about["parts"]["seed"] == 1
    assert verify(tmp_path / "out").agrees


def test_scores_are_kept_beside_the_run_for_it_to_find(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    for each in (student(1), student(2)):
        asked = MachineRequest(do="keep", key="a" * 32, suite="x.yaml", files={}, scores=(score(each),))
        assert Reply.model_validate_json(unit.perform_request(asked.model_dump_json(), print)) == Reply()
    (path,) = tmp_path.rglob("scores.jsonl")
    assert read_lines(path, Fidelity).records == (score(student(1)), score(student(2)))


# --------------------------------------------------------------------------------------------- from the coordinator


def made(do, asked):
    """What a machine answers that trains or scores."""
    return {"weights": tuple(map(sent, asked))} if do == "train" else {"scores": tuple(map(score, asked))}


class Machines:
    """What machines are asked, and their answers."""

    def __init__(self, lost=()):
        self.lost, self.kept, self.lock = set(lost), Counter(), threading.Lock()
        self.done, self.scores = {"train": [], "score": []}, []
        self.together = threading.Barrier(2, timeout=30)  # so that both take part, however fast one is

    def ask(self, name, what):
        if name in self.lost:
            raise HarnessError(f"{name}: its worker has left")
        if what["do"] == "keep":
            self.kept.update((name, each.student, each.training.machine) for each in what["weights"])
            self.scores += [(name, each) for each in what["scores"]]
            return Reply()
        done = self.done[what["do"]]
        first = not any(each == name for each, _ in done)
        with self.lock:
            done += [(name, each) for each in what["students"]]
        if first and not self.lost:
            self.together.wait()
        return Reply(**made(what["do"], what["students"]))


def replies(needed="students", **machines):
    return {name: Reply(facts=FACTS, **{needed: tuple(each)}) for name, each in machines.items()}


def test_every_student_is_trained_once_and_reaches_every_machine():
    wanted, machines = [student(number) for number in range(30)], Machines()
    done = spreading.spread(replies(a=wanted, b=wanted), machines.ask, print)["students"]
    assert Counter(each for _, each in machines.done["train"]) == Counter(wanted)
    by = {each: name for name, each in machines.done["train"]}
    assert set(by.values()) == {"a", "b"}
    other = {"a": "b", "b": "a"}
    assert machines.kept == Counter((other[by[each]], each, by[each]) for each in wanted)
    assert {(each["heads"], each["machine"]) for each in done} == {(each.heads, by[each]) for each in wanted}


def test_machines_with_other_libraries_train_for_themselves():
    wanted, machines = [student(number) for number in range(3)], Machines()
    answers = replies(a=wanted, b=wanted, c=wanted)
    answers["c"] = Reply(facts=FACTS.model_copy(update={"versions": {"torch": "2.12"}}), students=tuple(wanted))
    spreading.spread(answers, machines.ask, print)
    assert {name for name, _ in machines.done["train"]} == {"a", "b"}
    assert "c" not in {name for name, *_ in machines.kept}
    nothing = {"students": [], "scores": []}
    assert spreading.spread(replies(a=wanted), None, print) == nothing  # alone: its run trains, as without a fleet
    assert spreading.spread(replies(a=[], b=[]), None, print) == nothing


def test_every_score_is_made_once_and_says_in_the_records_of_others_who_made_it():
    wanted, machines = [student(number) for number in range(30)], Machines()
    done = spreading.spread(replies("unscored", a=wanted, b=wanted), machines.ask, print)
    assert Counter(each for _, each in machines.done["score"]) == Counter(wanted)
    by = {each: name for name, each in machines.done["score"]}
    assert set(by.values()) == {"a", "b"}
    assert {(name, each.heads): each.notes for name, each in machines.scores} == {
        ({"a": "b", "b": "a"}[by[each]], each.heads): ("early stop", f"scored on {by[each]}") for each in wanted
    }
    assert done["students"] == []
    assert {(each["heads"], each["machine"]) for each in done["scores"]} == {(each.heads, by[each]) for each in wanted}


def test_a_machine_keeps_no_score_that_its_run_has():
    first, second = student(1), student(2)
    machines = Machines(lost="-")
    spreading.spread(replies("unscored", a=[first, second], b=[second]), machines.ask, print)
    assert {each.heads for name, each in machines.scores if name == "b"} <= {second.heads}


def test_a_machine_that_was_lost_in_training_is_not_asked_to_score():
    wanted, machines, said = [student(1), student(2)], Machines(lost="a"), []
    both = {name: Reply(facts=FACTS, students=tuple(wanted), unscored=tuple(wanted)) for name in ("a", "b")}
    spreading.spread(both, machines.ask, said.append)
    assert said.count("a: its worker has left") == 1
    assert Counter(machines.done["score"]) == Counter(("b", each) for each in wanted)


def test_what_a_run_has_scored_already_is_not_sent_again():
    first, second = student(1), student(2)
    machines = Machines()
    spreading.spread(replies(a=[first, second], b=[second]), machines.ask, print)
    assert not {each for name, each, _ in machines.kept if name == "b"} - {second}


def test_a_machine_that_is_lost_costs_its_own_students_and_the_others_go_on():
    wanted, machines, said = [student(number) for number in range(16)], Machines(lost="a"), []
    spreading.spread(replies(a=wanted, b=wanted), machines.ask, said.append)
    assert said.count("a: its worker has left") == 1
    assert {name for name, _ in machines.done["train"]} == {"b"}
    assert len(machines.done["train"]) >= len(wanted) - spreading._MOST


class Answered(Handle):
    def __init__(self, reply):
        self.reply = reply

    def lines(self):
        return iter(())

    def result(self):
        return self.reply.model_dump_json()

    def cancel(self):
        pass


class Fake(Executor):
    """Two machines that note what they are asked."""

    name = "fake"

    def machines(self):
        return [Machine(name="a"), Machine(name="b")]

    def run(self, machine, request):
        asked = MachineRequest.model_validate_json(request.text)
        self.asked.append((asked.do, machine.name, request.timed))
        facts = coordinator.facts.of(self.loaded) if asked.do == "inspect" else None
        needed = (student(1), student(2)) if facts else ()
        done = made(asked.do, asked.students) if asked.students else {}
        return Answered(Reply(facts=facts, students=needed, unscored=needed, code=1, **done))


def test_nothing_is_timed_before_all_students_lie_everywhere(answered_here, tmp_path):
    executor = Fake()
    executor.loaded, executor.asked = loading.load(written(tmp_path / "s")), []
    coordinator.run(executor.loaded, executor, tmp_path / "out", coordinator.RunOptions(), print)
    order = [do for do, *_ in executor.asked]
    steps = [order.index(do) for do in ("inspect", "train", "score", "run")]
    assert steps == sorted(steps)
    assert order[-2:] == ["run", "run"]
    assert Counter(order) == {"inspect": 2, "train": 2, "score": 2, "keep": 4, "run": 2}
    assert {do for do, _, timed in executor.asked if timed} == {"run"}


def test_two_commands_do_not_write_into_one_folder(answered_here, tmp_path):
    executor = Fake()
    executor.loaded, executor.asked = loading.load(written(tmp_path / "s")), []
    (tmp_path / "out").mkdir()
    with (
        FileLock(tmp_path / "out" / ".lock"),
        pytest.raises(RecordsError, match="another run is writing into this folder"),
    ):
        coordinator.run(executor.loaded, executor, tmp_path / "out", coordinator.RunOptions(), print)
    assert executor.asked == []


def test_a_machine_that_vanishes_before_anything_runs_is_named(answered_here, tmp_path):
    class Vanishing(Fake):
        def run(self, machine, request):
            if machine.name == "b":
                raise HarnessError("its worker has left", next_step="start it again")
            return super().run(machine, request)

    executor = Vanishing()
    executor.loaded, executor.asked = loading.load(written(tmp_path / "s")), []
    with pytest.raises(HarnessError, match=r"^b: its worker has left; start it again"):
        coordinator.run(executor.loaded, executor, tmp_path / "out", coordinator.RunOptions(), print)
    assert not (tmp_path / "out" / "fleet.json").exists()


def test_a_machine_with_other_code_is_refused_and_nothing_runs(answered_here, tmp_path):
    class Other(Fake):
        def run(self, machine, request):
            answer = super().run(machine, request)
            if machine.name == "b":
                facts = answer.reply.facts.model_copy(update={"code": DIGEST})
                answer.reply = answer.reply.model_copy(update={"facts": facts})
            return answer

    executor = Other()
    executor.loaded, executor.asked = loading.load(written(tmp_path / "s")), []
    with pytest.raises(
        UserError, match=r"b: its harness has other code \(000000000000, here .*nothing was run"
    ) as raised:
        coordinator.run(executor.loaded, executor, tmp_path / "out", coordinator.RunOptions(), print)
    assert "a: " not in str(raised.value)
    assert {do for do, *_ in executor.asked} == {"inspect"}
    assert not (tmp_path / "out" / "fleet.json").exists()
