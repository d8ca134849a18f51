"""What is scored is what is raced, and what was trained once is not trained again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from harness.measure import fidelity
from harness.measure.construction import Construction
from harness.measure.pool import BuilderClient
from harness.measure.scoring import Scoring
from harness.measure.scoring_child import answers
from harness.plan import plan as planning
from harness.plan.check import check_suite
from harness.plugin.interfaces import Compiled
from harness.process.child import ChildFailed
from harness.suite import loading

PLUGIN = Path(__file__).parents[1] / "fixtures" / "plugins" / "faulty.py"
HEADS = 18
SUITE = {
    "name": "scored",
    "source": {"use": "playbook", "options": {"temperature": 0.1}},
    "heads": {"values": [HEADS]},
    "batch_sizes": [1, 32],
    "contenders": {
        "exact": {"projector": "lda", "runtime": "onnxruntime", "scored": True},
        "int8": {"projector": "lda", "runtime": "onnxruntime-int8", "scored": True},
        "numpy": {"projector": "lda-loop", "runtime": "python", "scored": True},
        "student": {
            "projector": "transformer",
            "runtime": "onnxruntime",
            "options": {"num_layers": 1, "dropout": 0},
            "trainer": {"use": "distillation", "options": {"epochs": 3}},
        },
    },
}


@pytest.fixture
def plan(answered_here):
    loaded = loading.load(None, text=yaml.safe_dump(SUITE))
    return planning.plan(loaded, check_suite(loaded))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """What is exported and trained for one test is there for the next."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def scoring(plan, cache):
    """Makes a `Scoring` with processes of its own; the cache is the same."""
    made = []

    def make():
        settings = {"cache": str(cache), "plugins": dict(plan.plugins_of_sources), "input_batches": 2}
        workshop = BuilderClient(plan.specifications, plan.batch_sizes, settings, 120.0)
        made.append((Scoring(workshop, {"plugins": dict(plan.plugins_of_sources)}, 60.0), workshop))
        return made[-1][0]

    yield make
    for one, workshop in made:
        one.close()
        workshop.close()


def test_eight_bits_have_the_fidelity_of_what_they_answer(plan, scoring, cache):
    one = scoring()
    exact, int8 = (one.score(plan.specifications[name], HEADS, [1, 32]) for name in ("exact", "int8"))
    assert exact["scores"]["mean_cosine"] == pytest.approx(1.0, abs=1e-6)
    assert exact["scores"]["top1_agreement"] == 1.0
    assert 0.9 < int8["scores"]["mean_cosine"] < 1 - 1e-6
    assert int8["scores"]["norm_error"] > 10 * exact["scores"]["norm_error"]

    import onnxruntime

    data = Construction({}).dataset(plan.specifications["int8"], HEADS)
    (model,) = [path for path in cache.rglob("model.onnx") if "int8" in (path.parents[1] / "complete.json").read_text()]
    session = onnxruntime.InferenceSession(model)
    outputs = []
    for start in range(0, len(data.held_out_queries), 32):
        rows = np.arange(start, start + 32) % len(data.held_out_queries)
        outputs.append(session.run(None, {session.get_inputs()[0].name: data.held_out_queries[rows]})[0])
    teacher = fidelity.weights(data.held_out_queries, data.heads.centroids, 0.1) @ data.heads.answers
    own = np.concatenate(outputs)[: len(data.held_out_queries)]
    assert int8["scores"]["mean_cosine"] == pytest.approx(
        fidelity.score(own, teacher, data.heads.answers)["mean_cosine"], abs=1e-6
    )


def test_a_projection_in_numpy_is_scored_through_its_runtime(plan, scoring):
    scored = scoring().score(plan.specifications["numpy"], HEADS, [1])
    assert scored["scores"]["mean_cosine"] == pytest.approx(1.0, abs=1e-6)
    assert scored["temperature"] == 0.1
    assert not scored["cached"]


def test_a_second_score_trains_nothing_in_this_process_or_another(plan, scoring):
    one, another = scoring(), scoring()
    student = plan.specifications["student"]
    found = [each.score(student, HEADS, [1]) for each in (one, one, another)]
    assert [each["cached"] for each in found] == [False, True, True]
    assert found[0]["training_seconds"] > 0
    for name in ("scores", "training_seconds", "training_steps", "parameters"):
        assert found[0][name] == found[1][name] == found[2][name]
    other = one.score(replace(student, training_seed=1), HEADS, [1])
    assert not other["cached"]
    assert other["scores"] != found[0]["scores"]


def test_a_runtime_that_cannot_load_has_no_fidelity(plan, scoring):
    broken = replace(plan.specifications["exact"], device="cuda")
    with pytest.raises(ChildFailed) as caught:
        scoring().score(broken, HEADS, [1])
    assert caught.value.failure.stage in ("score", "train")


@pytest.mark.parametrize(
    ("fault", "kind", "what"),
    [
        ("segfault", "signal", "SIGSEGV"),
        ("endless", "deadline", "no answer within 2 s"),
        ("not_a_number", "error", "the student's output is not finite for 1"),
    ],
)
def test_a_runtime_that_fails_is_told_and_the_next_is_scored(answered_here, tmp_path, fault, kind, what):
    faulty = {"projector": "product", "runtime": "faulty", "teacher": "product", "scored": True}
    suite = {
        "name": "faults",
        "plugins": [str(PLUGIN)],
        "source": {"use": "small"},
        "heads": {"values": [4]},
        "batch_sizes": [1],
        "contenders": {name: faulty | {"runtime_options": {"fault": name}} for name in (fault, "fine")},
    }
    loaded = loading.load(None, text=yaml.safe_dump(suite))
    plan = planning.plan(loaded, check_suite(loaded))
    settings = {"cache": str(tmp_path), "plugins": dict(plan.plugins_of_sources)}
    workshop = BuilderClient(plan.specifications, plan.batch_sizes, settings, 60.0)
    scoring = Scoring(workshop, settings, 2.0)
    try:
        with pytest.raises(ChildFailed, match=what) as caught:
            scoring.score(plan.specifications[fault], 4, [1])
        assert (caught.value.failure.stage, caught.value.failure.kind) == ("score", kind)
        fine = scoring.score(plan.specifications["fine"], 4, [1])
        assert fine["scores"]["mean_cosine"] == pytest.approx(1.0, abs=1e-6)
    finally:
        scoring.close()
        workshop.close()


class Recording(Compiled):
    """Remembers the sizes of its batches."""

    def __init__(self):
        self.sizes = []

    def __call__(self, prepared):
        self.sizes.append(len(prepared))
        return prepared


def test_all_batches_have_the_size_that_is_raced():
    queries = np.arange(14, dtype=np.float32).reshape(7, 2)
    compiled = Recording()
    assert (answers(compiled, queries, 3) == queries).all()
    assert compiled.sizes == [3, 3, 3]


def test_what_is_proved_answers_as_its_float64_reference_does(plan, scoring):
    one = scoring()
    for name in ("exact", "numpy", "student"):
        assert one.score(plan.specifications[name], HEADS, [1, 32], prove=True)["queries"] > 0
    strict = replace(plan.specifications["int8"], tolerance=1e-4)
    with pytest.raises(ChildFailed, match=r"differs from the float64 reference by .* tolerance 0\.0001"):
        one.score(strict, HEADS, [1, 32], prove=True)
    assert one.score(strict, HEADS, [1, 32])["scores"]["mean_cosine"] > 0.9
