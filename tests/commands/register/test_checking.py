"""A register: honest runs are accepted, and each of the doctored ones is refused with what differs."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from harness import __version__
from harness.commands.register.checking import checked, verified
from harness.commands.register.entry import LARGEST, name_of, names
from harness.commands.register.submitting import submit
from harness.errors import RecordsError, UserError
from harness.run.session import DISTRIBUTION
from tests.command_line import called
from tests.commands.register.conftest import (
    baseline,
    copied,
    put,
    records,
    rewritten,
    sealed_folder,
)  # fmt: skip


def run_json(folder, change):
    path = folder / "run.json"
    run = json.loads(path.read_text())
    change(run)
    path.write_text(json.dumps(run))


def rows(folder, change):
    found = records(folder)
    changed = change(found)
    put(folder, found if changed is None else changed)


def faster(found):
    for each in found:
        if each["contender"] == "student":
            each["sampled"]["seconds"] = [0.5 * second for second in each["sampled"]["seconds"]]


def slower(found):
    for each in found:
        if each["contender"] == "teacher":
            each["sampled"]["seconds"] = [2.0 * second for second in each["sampled"]["seconds"]]


def line(folder, number, text):
    path = folder / "measurements.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    lines[number] = text(lines[number])
    path.write_text("".join(lines))


def linked(folder, name):
    (folder / name).rename(folder.parent / name)
    (folder / name).symlink_to(folder.parent / name)


def huge(folder):
    with (folder / "report.json").open("r+b") as file:
        file.truncate(LARGEST["report.json"] + 1)  # a hole: it takes no room


def one_long_line(folder):
    with (folder / "measurements.jsonl").open("ab") as file:
        file.write(b'{"schema_version": 1, "key": "' + b"a" * 2**23 + b'"}\n')


def pipe(folder):
    (folder / "fidelity.jsonl").unlink(missing_ok=True)
    os.mkfifo(folder / "fidelity.jsonl")


def summary(folder):
    path = folder / "report.json"
    report = json.loads(path.read_text())
    report["crossovers"][0]["sentence"] = "student is faster throughout"
    path.write_text(json.dumps(report))


def moved_answer(folder):
    path = folder / "crossovers.json"
    found = json.loads(path.read_text())
    found["located"][0]["location"]["crossings"][0]["heads"] += 40
    path.write_text(json.dumps(found))


def fewer_figures(folder):
    run_json(folder, lambda run: run.update(versions={DISTRIBUTION: __version__}))
    sealed_folder(folder)
    path = folder / "report.json"
    report = json.loads(path.read_text())
    path.write_text(json.dumps({name: each for name, each in report.items() if name != "crossovers"}))


def scored(folder, *scores):
    """The forger writes scores that no queries have, and computes the digests again."""
    rows = [
        {"contender": "student", "heads": 64, "temperature": 1.0, "seed": 0, "queries": 2, "scores": {"mean_cosine": each},
         "per_query": {"mean_cosine": [0.5, 0.7]}}
        for each in scores
    ]  # fmt: skip
    (folder / "fidelity.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    sealed_folder(folder)
    rewritten(folder)


def edited(folder, change):
    """The same for run.json."""
    run_json(folder, change)
    sealed_folder(folder)
    rewritten(folder)


def elsewhere(found):
    for each in found:
        if each["purpose"] == "table" and each["contender"] == "student":
            each["heads"] = 999_999


def unanswered(folder):
    path = folder / "crossovers.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "located": []}))
    sealed_folder(folder)
    rewritten(folder)


def unsealed(folder):
    rows(folder, faster)
    run_json(folder, lambda run: run.pop("seal"))
    rewritten(folder)


def resealed(folder, change):
    """The forger computes the digests again, too."""
    rows(folder, change)
    sealed_folder(folder)
    rewritten(folder)


DOCTORED = {
    "seconds edited": (lambda folder: rows(folder, faster), "measurements.jsonl has changed"),
    "seconds edited, report derived anew": (
        lambda folder: (rows(folder, faster), rewritten(folder)), "measurements.jsonl has changed",
    ),
    "digests removed": (unsealed, "run.json holds no digests of the records"),
    "seconds doubled, sealed again": (
        lambda folder: resealed(folder, slower), "a sample begins before the one before it can have ended",
    ),
    "a record removed": (lambda folder: rows(folder, lambda found: found[:-1]), "measurements.jsonl has changed"),
    "a visit removed, sealed again": (
        lambda folder: resealed(folder, lambda found: [each for each in found if each["visit"] != 5]),
        "the records of visit 5 are missing|another search",
    ),
    "a record duplicated, sealed again": (
        lambda folder: resealed(folder, lambda found: [*found, found[-1]]), "is there twice",
    ),
    "summary edited": (summary, "the report has student is faster throughout"),
    "figures removed from the report": (fewer_figures, "report.json lacks [0-9]+ figures that version"),
    "scores edited, sealed again": (
        lambda folder: scored(folder, 0.99), "mean_cosine of student at N = 64 is not the mean over its queries",
    ),
    "a student scored twice, sealed again": (
        lambda folder: scored(folder, 0.6, 0.6), "student at N = 64, seed 0, was scored twice",
    ),
    "answer edited": (moved_answer, "crossovers.json has changed"),
    "answer edited, sealed again": (
        lambda folder: (moved_answer(folder), sealed_folder(folder), rewritten(folder)), "crossovers.json.*the raw seconds give",
    ),
    "machine edited": (
        lambda folder: run_json(folder, lambda run: run["machine"].update(processor="A Faster One")),
        "run.json: machine has changed",
    ),
    "suite edited": (
        lambda folder: run_json(folder, lambda run: run["suite"].update(description="another")),
        "run.json: suite has changed.*the suite is not the one whose digest",
    ),
    "suite digest edited": (
        lambda folder: run_json(folder, lambda run: run.update(suite_digest="0" * 16)), "run.json: suite_digest has changed",
    ),
    "digest edited": (
        lambda folder: run_json(folder, lambda run: run["seal"].update({"measurements.jsonl": "0" * 64})),
        "measurements.jsonl has changed",
    ),
    "status edited": (
        lambda folder: (run_json(folder, lambda run: run.update(status="interrupted")), sealed_folder(folder)),
        "the run is not complete: its status is interrupted",
    ),
    "records that are a link": (lambda folder: linked(folder, "measurements.jsonl"), "measurements.jsonl: it is a link"),
    "run.json that is a link": (lambda folder: linked(folder, "run.json"), "run.json: it is a link"),
    "records that are a pipe": (pipe, "fidelity.jsonl: it is not a regular file"),
    "a huge file": (huge, "report.json: it is larger than 64.0 MiB"),
    "a huge line": (one_long_line, "it has a line of more than 8.00 MiB"),
    "not a number": (
        lambda folder: line(folder, 3, lambda text: text.replace('"inner_loops":', '"inner_loops":NaN,"was":', 1)),
        "measurements.jsonl:4: the line is damaged: NaN is not a number",
    ),
    "infinite": (
        lambda folder: line(folder, 3, lambda text: text.replace('"visit":', '"visit":1e999,"was":', 1)),
        "measurements.jsonl:4: the line is damaged",
    ),
    "a torn line in the middle": (
        lambda folder: line(folder, 3, lambda text: text[: len(text) // 2] + "\n"), "measurements.jsonl:4: the line is damaged",
    ),
    "a torn last line": (lambda folder: line(folder, -1, lambda text: text[:-30]), "the last line was cut short"),
    "records of another day, sealed again": (
        lambda folder: (
            run_json(folder, lambda run: run.update(started="2026-05-01T00:00:00+00:00", finished="2026-05-01T01:00:00+00:00")),
            sealed_folder(folder),
            rewritten(folder),
        ),
        "took place before the run began or after it ended",
    ),
    "a contender that is none, sealed again": (
        lambda folder: resealed(folder, lambda found: found[0].update(contender="stranger")),
        "there are records of stranger, which is not a contender",
    ),
    "run.json nested too deep": (
        lambda folder: (folder / "run.json").write_text("[" * 100_000), "run.json",
    ),
    "a table at another N, sealed again": (
        lambda folder: resealed(folder, elsewhere), "student at N = 999,999 in the table, which the suite does not ask for",
    ),
    "fewer launches than the suite asks for, sealed again": (
        lambda folder: edited(folder, lambda run: run["suite"].update(measurement={"launches": 64})),
        "was not measured in each of the 64 launches of the suite",
    ),
    "no answer to a search, sealed again": (unanswered, "best at batch 1 was searched, and crossovers.json has no answer to it"),
    "without an end, sealed again": (
        lambda folder: edited(folder, lambda run: run.update(finished=None)), "run.json does not say when the run took place",
    ),
    "an end before the beginning, sealed again": (
        lambda folder: edited(folder, lambda run: run.update(finished="2024-01-01T00:00:00+00:00")),
        "run.json does not say when the run took place",
    ),
    "an end in the future, sealed again": (
        lambda folder: edited(folder, lambda run: run.update(finished="2199-01-01T00:00:00+00:00")), "it ended in the future",
    ),
    "no records": (lambda folder: (folder / "measurements.jsonl").unlink(), "measurements.jsonl is missing"),
}  # fmt: skip


# those that change neither all digests nor the name, and can be put into a register by hand
KEEPING = [each for each in DOCTORED if not any(word in each for word in ("again", "anew", "nested too deep"))]


def test_untouched_runs_are_accepted(made_run, other_run, tmp_path):
    register = tmp_path / "register"
    nearest = baseline(tmp_path / "nearest")
    for each in (made_run, other_run, nearest):
        assert submit(each, str(register)).added
    found = verified(register)
    assert [each.refused for each in found] == [(), (), ()]
    assert all(each.agrees.startswith("agrees: ") for each in found)
    done = called("register", "verify", register)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "3 accepted, 0 refused"


@pytest.mark.parametrize("kind", DOCTORED)
def test_a_doctored_run_is_refused_with_what_differs(kind, run, tmp_path):
    change, sentence = DOCTORED[kind]
    change(run)
    with pytest.raises(RecordsError, match=f"(?s)the run is refused: .*({sentence})"):
        submit(run, str(tmp_path / "register"))
    assert not (tmp_path / "register").exists()


def test_at_least_twenty_kinds_are_tried():
    assert len(DOCTORED) >= 20


@pytest.mark.parametrize("kind", KEEPING)
def test_the_same_in_a_register_is_refused(kind, made_run, tmp_path):
    """Put there by hand, under the name that it had before."""
    place = tmp_path / "register" / name_of(made_run)
    shutil.copytree(made_run, place)
    DOCTORED[kind][0](place)
    (found,) = [each for each in verified(tmp_path / "register") if each.name == place.name]
    assert not found.accepted
    assert "not a file of a run" not in found.sentence


def test_another_runs_records_are_refused(run, other_run, tmp_path):
    for name in ("measurements.jsonl", "crossovers.json", "report.json"):
        shutil.copyfile(other_run / name, run / name)
    sealed_folder(run)
    rewritten(run)
    with pytest.raises(RecordsError, match="took place before the run began or after it ended"):
        submit(run, str(tmp_path / "register"))


def test_a_run_submitted_as_that_of_another_machine_is_refused(made_run, run, tmp_path):
    """All digests computed again: only the samples, which no two runs share, show it."""
    register = tmp_path / "register"
    submit(made_run, str(register))
    run_json(run, lambda found: found["machine"].update(processor="A Faster One"))
    sealed_folder(run)
    rewritten(run)
    with pytest.raises(RecordsError, match=f"the register has samples of this run as {name_of(made_run)}"):
        submit(run, str(register))
    shutil.copytree(run, register / name_of(run))  # by hand
    found = verified(register)
    assert [each.accepted for each in found] == [False, False]
    assert all("one of them is a copy" in each.sentence for each in found)


@pytest.mark.parametrize("name", ["..data", "a b", "../../etc", "0" * 50, "A" * 12 + "-" + "b" * 12 + "-" + "c" * 24])
def test_a_name_that_is_none_of_an_entry_is_refused(name, made_run, tmp_path):
    register = tmp_path / "register"
    shutil.copytree(made_run, register / name.replace("/", "-").lstrip("."))
    (found,) = verified(register)
    assert found.refused == ("its name is not that of an entry; remove it, or add it with `harness submit`",)


def test_names_in_the_records_do_not_become_paths(run, tmp_path):
    run_json(run, lambda found: found.update(suite_path="../../../etc/passwd", command="/etc/passwd"))
    sealed_folder(run)
    rewritten(run)
    added = submit(run, str(tmp_path / "register"))
    assert names(tmp_path / "register") == [added.name]
    assert names(tmp_path / "register" / added.name) == [
        "crossovers.json", "measurements.jsonl", "report.json", "run.json",
    ]  # fmt: skip


def test_an_entry_that_is_a_link_or_holds_more_is_refused(made_run, tmp_path):
    register = tmp_path / "register"
    register.mkdir()
    (register / name_of(made_run)).symlink_to(made_run)
    (found,) = verified(register)
    assert "this is not a folder" in found.refused[0]
    (register / name_of(made_run)).unlink()
    shutil.copytree(made_run, register / name_of(made_run))
    (register / name_of(made_run) / "setup.py").write_text("")
    (found,) = verified(register)
    assert "it holds 'setup.py', which is not a file of a run; remove it" in found.refused[0]


def test_submitting_twice_adds_once(made_run, tmp_path):
    first, second = (submit(made_run, str(tmp_path / "register")) for _ in range(2))
    assert (first.added, second.added) == (True, False)
    assert names(tmp_path / "register") == [first.name]
    done = called("submit", made_run, "--to", tmp_path / "register")
    assert done.stdout.startswith(f"already there: {first.name}")


def test_what_is_no_register_is_named(tmp_path, made_run):
    with pytest.raises(UserError, match="there is no such folder"):
        verified(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"the register holds no runs.*add one with `harness submit RUN --to"):
        verified(tmp_path / "empty")
    with pytest.raises(UserError, match="this is the folder of a run"):
        submit(made_run, str(made_run))


def test_a_forger_who_rewrites_everything_is_not_seen(run, tmp_path):
    """What docs/fleet.md says of it: digests are no signature."""
    rows(run, lambda found: [each["sampled"].update(seconds=[0.999 * s for s in each["sampled"]["seconds"]]) for each in found]
         and None)  # fmt: skip
    sealed_folder(run)
    rewritten(run)
    (tmp_path / "taken").mkdir()
    assert checked(run, tmp_path / "taken").accepted


def test_verdicts_for_programs(made_run, tmp_path):
    register = tmp_path / "register"
    submit(made_run, str(register))
    copied(made_run, register / "stray")
    done = called("register", "verify", register, "--json")
    assert done.returncode == 1
    entries = json.loads(done.stdout)["entries"]
    assert {each["name"]: each["accepted"] for each in entries} == {name_of(made_run): True, "stray": False}
