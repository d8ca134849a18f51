"""From a suite to its sentences: students that are fast, and what is said about those that are not right."""

from __future__ import annotations

import pytest
import yaml

from harness.analysis.summary import summarise
from harness.records.reader import read
from tests.command_line import called

SUITE = {
    "name": "right",
    "source": {
        "use": "resampled",
        "options": {"of": "playbook", "temperature": 1.0, "train_queries": 128, "held_out_queries": 40},
    },
    "heads": {"values": [18]},
    "batch_sizes": [32],
    "training_seeds": [0, 1],
    "contenders": {
        "loop": {"projector": "lda-loop", "runtime": "python"},
        "constant": {"projector": "constant", "runtime": "eager", "scored": True},
        "student": {
            "projector": "mlp",
            "runtime": "torchscript",
            "trainer": {"use": "distillation", "options": {"epochs": 2, "batch_size": 64}},
        },
    },
    "races": [
        {
            "name": name,
            "baseline": "loop",
            "challenger": challenger,
            "heads": {"from": 64, "to": 128},
            "requires": {"skill": 0.5},
        }
        for name, challenger in (("trivial", "constant"), ("trained", "student"))
    ],
    "measurement": {
        "launches": 2,
        "table": False,
        "min_sample_seconds": 0.0003,
        "max_warm_up_seconds": 0.05,
        "self_check": False,
    },
    "search": {"precision": 0.5, "regret": False, "budget_samples": 100},
}


def run(folder, suite, code=0):
    """What the command line makes of a suite."""
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(suite))
    done = called("run", path, "--output", folder / "out")
    assert done.returncode == code, done.stdout + done.stderr
    return read(folder / "out")


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    return summarise(run(tmp_path_factory.mktemp("right"), SUITE))


def case(summary, race):
    return next(each for each in summary.searches if each.case.race == race)


def test_at_a_temperature_of_one_a_constant_reaches_what_was_documented_as_success(summary):
    row = next(each for each in summary.fidelity if (each.contender, each.heads) == ("constant", 18))
    assert row.scores["mean_cosine"] > 0.95
    (about,) = [each for each in summary.remarks if each.startswith("at N = 18 and T = 1, where the teacher weighs")]
    assert f"a constant (the mean teacher output) reaches a mean cosine of {row.scores['mean_cosine']:.4f}" in about
    assert about.endswith("cosine is not informative there")


def test_a_challenger_that_leads_and_is_wrong_has_no_crossover_that_counts(summary):
    found = case(summary, "trivial")
    assert found.located.location.status == "below"  # a constant is faster than a loop at any N
    assert found.constrained.faster_from == 64
    assert found.constrained.counts_from is None
    span = "constant is faster from N = 64 to 128, the end of the range, but not equivalent there: skill"
    assert found.constrained.sentence.startswith(span)
    assert found.constrained.sentence.endswith("(scored at N = 64 and 128)")


def test_a_challenger_is_trained_and_scored_with_every_seed_from_end_to_end_of_its_lead(summary):
    found = case(summary, "trained")
    assert found.located.location.status == "below"  # 32 queries one after the other are slow
    rows = {row.heads: row for row in summary.fidelity if row.contender == "student"}
    assert set(rows) == {18, 64, 128}
    assert {(row.seeds, row.asked_seeds) for row in rows.values()} == {(2, 2)}
    assert all(row.training_seconds > 0 and row.scores["skill"] < 0.5 for row in rows.values())
    assert rows[18].spread["mean_cosine"][0] < rows[18].spread["mean_cosine"][1]
    assert "student is faster from N = 64 to 128, the end of the range, but not equivalent there: skill" in (
        found.constrained.sentence
    )
    assert found.constrained.counts_from is None


def test_a_training_that_failed_is_told_at_the_temperature_of_its_own_source(tmp_path):
    diverging = {
        "projector": "mlp",
        "runtime": "eager",
        "source": {"use": "playbook", "options": {"temperature": 0.5}},
        "trainer": {"use": "distillation", "options": {"epochs": 3, "learning_rate": 1e6, "batch_size": 32}},
    }
    contenders = {"constant": SUITE["contenders"]["constant"], "diverging": diverging}
    evidence = run(tmp_path, SUITE | {"contenders": contenders, "races": [], "training_seeds": [0]}, code=1)
    (failed,) = [each for each in evidence.fidelities if each.failure]
    assert (failed.contender, failed.temperature) == ("diverging", 0.5)
    (row,) = [each for each in summarise(evidence).fidelity if each.failure]
    assert (row.temperature, row.seeds, row.asked_seeds) == (0.5, 0, 1)
