"""From the command line to the report: which data a run is about, and what it does with heads that have matrices."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

import harness
from harness.commands.typed import as_typed
from harness.measure.builder import Builder
from harness.plan.specification import OfferReference, Specification
from harness_plugins import database, lda
from harness_plugins import distill_suite as distill
from tests.command_line import called

WIDTH = 16
BRIEF = {**distill.MEASUREMENT, "latency_calls": 5, "min_sample_seconds": 0.0003, "max_warm_up_seconds": 0.05}


def drawn(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, WIDTH), dtype=np.float32)


HEADS = harness.Heads(
    centroids=drawn(4), answers=drawn(4, 1), temperature=1.0, matrices={1: drawn(WIDTH, 2), 3: drawn(WIDTH, 3)}
)


@pytest.fixture
def two_projections(tmp_path):
    """A database as the original system leaves it: two projections of one name, at two temperatures."""
    path = tmp_path / "lda.db"
    database.write_database(path, HEADS, "multi")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO multi_head_projections VALUES (2, 1, 'multi', 0.1, 4, NULL, NULL, '')")
        connection.execute(
            "INSERT INTO cluster_heads SELECT head_id + 4, 2, cluster_id, centroid_path, answer_emb_path, W_path, 0 "
            "FROM cluster_heads"
        )
    return path


LISTED = r"1 \('multi', T = 1.0, N = 4\), 2 \('multi', T = 0.1, N = 4\); choose one by its id with `--projection`"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({}, f"it holds 2 projections: {LISTED}"),
        ({"projection": "multi"}, f"2 projections are called 'multi': {LISTED}"),
        ({"temperature": 0.5}, f"it holds 2 projections: {LISTED}"),
        ({"projection": "3"}, r"there is no projection '3'; choose one of 1 \('multi', T = 1.0, N = 4\), 2 "),
        ({"projection": "2", "temperature": -1.0}, "^--temperature: must be above 0.0, got -1.0"),
    ],
)
def test_no_projection_is_taken_that_was_not_asked_for(two_projections, answered_here, asked, sentence):
    with pytest.raises(harness.DataError, match=sentence) as caught:
        distill.plan(distill.DistillOptions(db=two_projections, **asked))
    assert "suite" not in str(caught.value)  # nobody wrote one


@pytest.mark.parametrize("asked", [{"projection": "2"}, {"temperature": 0.1}])
def test_one_projection_is_distilled(two_projections, answered_here, asked):
    plan = distill.plan(distill.DistillOptions(db=two_projections, **asked))
    assert plan.plan.suite.heads.values == (4,)
    assert {"path": str(two_projections), **asked}.items() <= plan.plan.suite.source.options.items()


def test_a_missing_temperature_is_asked_for(tmp_path, answered_here):
    np.savez(tmp_path / "h.npz", centroids=HEADS.centroids, answers=HEADS.answers, queries=drawn(40, 4))
    with pytest.raises(harness.DataError, match=r"h\.npz: it has no temperature; give it with `--temperature`"):
        distill.plan(distill.DistillOptions(db=tmp_path / "h.npz"))
    distill.plan(distill.DistillOptions(db=tmp_path / "h.npz", temperature=0.1))


def test_errors_name_what_was_typed_and_not_what_a_suite_says(tmp_path):
    wish = distill.DistillOptions(db=tmp_path / "h.npz", queries=tmp_path / "q.npy")
    raised = harness.HarnessError(
        f"the source cannot be loaded: {tmp_path}/q.npy: there are no query embeddings; name a .npy file of them, "
        "[queries, width], in the option `queries`",
        where="source.options",
    )
    assert str(as_typed(raised, wish.typed)) == (
        f"--queries {tmp_path}/q.npy: there are no query embeddings; name a .npy file of them, [queries, width], in `--queries`"
    )
    where = harness.DataError("it has no temperature", where=str(tmp_path / "h.npz"), next_step="give it")
    assert str(as_typed(where, wish.typed)) == f"--db {tmp_path}/h.npz: it has no temperature; give it"


def test_students_are_chosen_and_limits_are_theirs(two_projections, answered_here):
    wish = distill.DistillOptions(
        db=two_projections, projection="2", students=("residual",), seconds=5.0, seeds=2, seed=3, batch_size=16
    )
    suite = distill.plan(wish).plan.suite
    assert list(suite.contenders) == ["teacher", "residual", "linear", "identity", "constant"]
    assert suite.contenders["residual"].trainer.options == {"batch_size": 16, "seconds": 5.0}
    assert suite.training_seeds == (3, 4)
    assert wish.command == (
        f"harness distill --db {two_projections} --projection 2 --batch-size 16 --seconds 5 --seed 3 --seeds 2"
    )
    default = distill.plan(distill.DistillOptions(db=two_projections, projection="2")).plan.suite
    assert list(default.contenders) == ["teacher", "documented", "residual", "linear", "identity", "constant"]
    assert "ranked" in wish.__class__(db=two_projections).chosen(256)
    with pytest.raises(harness.UserError, match=r"--student 'lineer' is not a student; did you mean 'linear'\?"):
        distill.plan(distill.DistillOptions(db=two_projections, students=("lineer",)))


@pytest.mark.parametrize(("output_width", "failed"), [(16, 2), (12, 1)])
def test_the_query_is_no_answer_where_widths_differ(output_width, failed):
    cells = [
        SimpleNamespace(cell=(name, 4, 1), contender=name, failing=name != "linear")
        for name in ("identity", "linear", "documented")
    ]
    evidence = SimpleNamespace(
        run=SimpleNamespace(source={"width": 16, "output_width": output_width}), measurements=cells, fidelities=()
    )
    assert distill.failures(evidence) == failed


def run(tmp_path, *arguments, code=0):
    """What the command line prints, and report.json."""
    done = called(*arguments, "--output", tmp_path / "out")
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, json.loads((tmp_path / "out" / "report.json").read_text())


def test_distilling_tells_its_data_and_imitates_matrices(tmp_path, two_projections, monkeypatch):
    monkeypatch.setattr(distill, "MEASUREMENT", BRIEF)
    queries = drawn(20, 4)
    np.save(tmp_path / "q.npy", np.concatenate([queries, queries]))  # every row twice
    told, report = run(
        tmp_path, "distill", "--db", two_projections, "--projection", "2", "--queries", tmp_path / "q.npy",
        "--epochs", "1", "--embed-dim", WIDTH, "--student", "documented",
    )  # fmt: skip
    (data,) = report["data"]
    line = (
        "projection 2 ('multi') of lda.db, first 4 of 4 heads; N = 4, T = 0.1; 16 training and 4 held-out queries "
        f"(fewer than 30); real; digest {data['digest'][:12]}"
    )
    assert f"data: {line}\n" in told  # before anything is measured
    assert told.count(f"data: {line}\n") == 2  # and at the end
    others, choose = "1 ('multi', T = 1.0, N = 4)", "choose one by its id with the option `projection`"
    assert data["notes"] == [
        f"lda.db also holds {others}: {choose} (`--projection` of `harness distill`)",
        "2 of 4 heads have a matrix",
        "20 of 40 queries repeat another one and were dropped: each vector counts once",
    ]
    assert all(f"data: {note}\n" in told for note in data["notes"])
    assert "at N = 4 fidelity was scored on 4 held-out queries, fewer than 30" in told
    assert all(each["outcome"] == "measured" for each in report["cells"])  # parity: the teacher computes matrices
    source = harness.SourceContext(folder=tmp_path, cache=tmp_path)
    from harness_plugins.sources import DatabaseSource

    loaded = DatabaseSource().with_options({"path": "lda.db", "projection": 2, "queries": "q.npy"}).load(4, source)
    outputs = [lda.formula(loaded.heads, part) for part in (loaded.train_queries, loaded.held_out_queries)]
    mean = outputs[0].mean(axis=0)
    cosines = outputs[1] @ mean / (np.linalg.norm(outputs[1], axis=1) * np.linalg.norm(mean))
    (constant,) = [each for each in report["fidelity"] if each["contender"] == "constant"]
    assert constant["scores"]["mean_cosine"] == pytest.approx(cosines.mean(), abs=1e-5)


def test_who_does_not_compute_matrices_is_not_raced_and_own_sources_are_told(tmp_path):
    database.write_archive(tmp_path / "h.npz", HEADS, drawn(40, 4))
    own = {"use": "playbook", "options": {"temperature": 0.5}}
    suite = {
        "name": "mapped",
        "source": {"use": "database", "options": {"path": "h.npz"}},
        "heads": {"values": [4]},
        "batch_sizes": [1],
        "contenders": {
            "blocked": {"projector": "lda-blocked", "runtime": "python"},
            "loop": {"projector": "lda-loop", "runtime": "python"},
            "teacher": {"projector": "lda", "runtime": "python"},
            "elsewhere": {"projector": "lda", "runtime": "python", "source": own},
        },
        "measurement": {
            "launches": 2,
            "min_sample_seconds": 0.0003,
            "max_warm_up_seconds": 0.05,
            "latency_calls": 5,
            "self_check": False,
        },
    }
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(suite))
    told, report = run(tmp_path, "run", tmp_path / "suite.yaml", code=1)
    assert "blocked: 2 of 4 heads have a matrix, and the projector 'lda-blocked' does not compute those; leave" in told
    outcomes = {each["contender"]: each["outcome"] for each in report["cells"]}
    assert outcomes == {"blocked": "failed", "loop": "measured", "teacher": "measured", "elsewhere": "measured"}
    shared, other = report["data"]
    assert (shared["contenders"], shared["temperature"]) == ([], 1.0)
    assert (other["contenders"], other["temperature"]) == (["elsewhere"], 0.5)
    assert "elsewhere: the first 4 topics of the playbook at T = 0.5; N = 4, T = 0.5; " in told
    records = [json.loads(line) for line in (tmp_path / "out" / "measurements.jsonl").read_text().splitlines()]
    (flops,) = {each["cost_flops"] for each in records if each["contender"] == "teacher"}
    assert flops == 2 * 4 * (WIDTH + WIDTH) + 4 * 4 + 2 * 2 * WIDTH * WIDTH  # two of four heads have a matrix


def test_costs_along_a_range_count_the_matrices_of_each_n(tmp_path):
    database.write_archive(tmp_path / "h.npz", HEADS, drawn(40, 4))
    options = {"path": str(tmp_path / "h.npz")}
    teacher = Specification(
        contender="teacher",
        source=OfferReference(kind="source", name="database", plugin="harness_plugins.sources", options=options),
        projector=OfferReference(kind="projector", name="lda", plugin="harness_plugins.lda"),
    )
    asked = {
        "specification": teacher.to_json(),
        "heads": [1, 2, 4, 9],
        "batch_sizes": [1],
        "width": 16,
        "output_width": 16,
    }
    rows = Builder({"cache": str(tmp_path / "cache")}).costs(asked)["costs"]
    plain = {heads: 2 * heads * 32 + 4 * heads for heads in (1, 2, 4, 9)}
    extra = {heads: flops - plain[heads] for heads, _, flops, *_ in rows}
    assert extra == {1: 0, 2: 2 * 256, 4: 2 * 2 * 256, 9: 0}  # it has four heads: beyond, the number alone is known
    assert rows[2][-1] == [[1, 16, 4], [1, 4, 16], [1, 32, 16]]
