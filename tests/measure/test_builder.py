"""What the builder leaves for a worker: artifacts with their seconds, and references that prove something."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from harness.measure import builder as module
from harness.measure.artifact_digests import digests
from harness.measure.builder import Builder
from harness.plan import plan as planning
from harness.plan.check import check_suite
from harness.suite import loading

PLUGIN = """
import numpy as np
import harness


class Same(harness.Projector):
    "A random map in NumPy, with a module to prove it by where `forms` says so."

    name = "same"
    forms = ("numpy",)

    def build(self, heads, context):
        matrix = np.random.default_rng(7).standard_normal((heads.width, heads.output_width))
        if context.form == "numpy":
            single = matrix.astype("float32")
            return lambda queries: queries @ single
        import torch

        linear = torch.nn.Linear(*matrix.shape, bias=False)
        linear.weight.data = torch.from_numpy(matrix.T.astype("float32"))
        return linear


class Both(Same):
    "The same, in both forms."

    name = "both"
    forms = ("numpy", "module")


class Fitted(harness.Projector):
    "A linear map in NumPy, fitted to what its teacher answers; whoever builds it writes down what it was asked."

    name = "fitted"
    forms = ("numpy",)

    def build(self, heads, context):
        matrix = np.linalg.lstsq(context.train_queries, context.teacher(context.train_queries), rcond=None)[0]
        return lambda queries: queries @ matrix.astype("float32")


class Near(Same):
    "States a formula, as one derived from an exact projector does, and only approximates it."

    name = "near"
    approximates = "lda"

    def reference(self, heads, queries):
        return np.full((len(queries), heads.output_width), np.nan)


@harness.hookimpl
def harness_projectors():
    return [Same(), Both(), Fitted(), Near()]
"""


@pytest.fixture
def build(answered_here, tmp_path):
    """Builds a contender at N = 18 and gives the answer, with the cache of earlier calls."""
    (tmp_path / "same.py").write_text(PLUGIN)

    def build(contender, batch_sizes=(4,), heads=18):
        text = yaml.safe_dump(
            {
                "name": "built",
                "plugins": [str(tmp_path / "same.py")],
                "source": {"use": "resampled", "options": {"of": "playbook"}},
                "heads": {"values": [heads]},
                "batch_sizes": list(batch_sizes),
                "contenders": {"one": contender},
            }
        )
        loaded = loading.load(None, text=text)
        plan = planning.plan(loaded, check_suite(loaded))
        builder = Builder({"cache": str(tmp_path / "cache"), "plugins": dict(plan.plugins_of_sources)})
        specification = plan.specifications["one"].to_json()
        return builder.build({"specification": specification, "heads": heads, "batch_sizes": list(batch_sizes)})

    return build


@pytest.mark.parametrize(
    ("projector", "runtime", "proof"),
    [
        ("lda-loop", "python", "formula"),
        ("constant", "eager", "float64"),
        ("both", "python", "float64"),
        ("same", "python", "itself"),
        ("near", "python", "approximation"),  # and not the formula, which it does not claim to compute
    ],
)
def test_it_is_told_what_a_reference_is(build, projector, runtime, proof):
    contender = {"projector": projector, "runtime": runtime}
    assert build(contender)["proofs"] == {"4": proof}
    assert build(contender)["proofs"] == {"4": proof}  # also where it was written before


def test_the_digests_of_all_that_is_loaded_are_told_also_where_it_lay_in_the_cache(build):
    contender = {"projector": "constant", "runtime": "eager"}
    first, again = build(contender), build(contender)
    assert (first["cached"], again["cached"]) == (False, True)
    assert first["files"] == again["files"] == digests(Path(first["place"]), first["files"])
    beside = {"artifact/state.safetensors", "inputs-4.npy", "reference-4.npy", "proof-4"}
    assert beside <= set(first["files"])


def test_a_numpy_form_is_proved_against_its_module_in_float64(build, tmp_path):
    built = build({"projector": "both", "runtime": "python"})
    inputs, reference = (np.load(f"{built['place']}/{name}-4.npy") for name in ("inputs", "reference"))
    single = np.random.default_rng(7).standard_normal((inputs.shape[-1], reference.shape[-1])).astype(np.float32)
    exact = inputs.astype(np.float64) @ single.astype(np.float64)
    assert np.abs(reference - exact).max() < 1e-12
    assert np.abs(reference - inputs @ single).max() > 1e-8  # its own output in float32 is something else


def test_every_rotating_batch_is_proved_at_many_heads(build):
    built = build({"projector": "lda-loop", "runtime": "python"}, batch_sizes=(32,), heads=2500)
    assert len(np.load(f"{built['place']}/inputs-32.npy")) == len(np.load(f"{built['place']}/reference-32.npy")) == 4


def test_building_takes_as_long_as_it_took_when_it_was_done(build):
    contender = {"projector": "lda", "runtime": "torchscript"}
    first, again = build(contender), build(contender)
    assert (first["cached"], again["cached"]) == (False, True)
    assert again["build_seconds"] == first["build_seconds"] > 0


def test_what_is_the_same_at_many_n_is_shared_within_a_source_alone(build):
    """The other source has no N at which it was built, and could not prove it there."""
    contender = {"projector": "identity", "runtime": "python"}
    first = build(contender, heads=100)
    assert (build(contender, heads=40)["place"], build(contender, heads=40)["heads"]) == (first["place"], 100)
    own = {**contender, "source": {"use": "playbook"}}
    assert build(own, heads=18)["heads"] == 18


@pytest.mark.parametrize("student", [{"projector": "linear", "options": {"ridge": 0}}, {"projector": "fitted"}])
def test_a_student_in_closed_form_is_fitted_to_its_own_teacher(build, student):
    built = build({**student, "runtime": "python", "teacher": "both"})
    inputs, answers = (np.load(f"{built['place']}/{name}-4.npy") for name in ("inputs", "reference"))
    matrix = np.random.default_rng(7).standard_normal((inputs.shape[-1], answers.shape[-1]))
    train = inputs[: len(answers)].astype(np.float64) @ matrix  # fewer queries than dimensions: it knows those it saw
    assert np.corrcoef(train.ravel(), answers.ravel())[0, 1] > 0.7
    other = build({**student, "runtime": "python"})
    assert other["place"] != built["place"]  # what is fitted to another teacher is another projection


COUNTING = """
import numpy as np
import harness


class Sums(harness.Projector):
    "Answers with a number that no other query has."

    name = "sums"
    forms = ("numpy",)

    def build(self, heads, context):
        return lambda queries: (queries * heads.count).astype("float32")

    def reference(self, heads, queries):
        return queries.astype("float64") * heads.count


@harness.hookimpl
def harness_projectors():
    return [Sums()]
"""


@pytest.fixture
def builder(answered_here, tmp_path, monkeypatch):
    """A builder with so many input batches, and a function that asks it for a contender; references are cut early."""
    monkeypatch.setattr(module, "_REFERENCE_ELEMENTS", 2**12)  # as at real sizes: some have all batches, some the first
    (tmp_path / "sums.py").write_text(COUNTING)
    made = {}

    def ask(input_batches, heads, batch_sizes):
        text = {
            "name": "keys",
            "plugins": [str(tmp_path / "sums.py")],
            "source": {"use": "resampled", "options": {"of": "playbook", "train_queries": 8, "held_out_queries": 8}},
            "heads": {"values": [heads]},
            "batch_sizes": list(batch_sizes),
            "contenders": {"one": {"projector": "sums", "runtime": "python"}},
        }
        loaded = loading.load(None, text=yaml.safe_dump(text))
        plan = planning.plan(loaded, check_suite(loaded))
        if input_batches not in made:
            settings = {"cache": str(tmp_path / "cache"), "input_batches": input_batches}
            made[input_batches] = Builder({**settings, "plugins": dict(plan.plugins_of_sources)})
        specification = plan.specifications["one"].to_json()
        request = {"specification": specification, "heads": heads, "batch_sizes": list(batch_sizes)}
        return made[input_batches].build(request)["place"]

    return ask


def test_every_stored_reference_answers_the_queries_beside_it(builder):
    """At N = 64, four batches of 16 and the first of 64 have as many rows; so have many others."""
    places, truncated = {}, set()
    for input_batches in (1, 2, 4):
        for heads in (18, 64, 65, 300):
            for sizes in ((1,), (4,), (16,), (64,), (1, 4, 16, 64)):
                place = builder(input_batches, heads, sizes)
                places[input_batches, heads, sizes] = place
                for batch in sizes:
                    inputs, known = (np.load(f"{place}/{name}-{batch}.npy") for name in ("inputs", "reference"))
                    assert inputs.shape[:2] == (input_batches, batch)
                    assert known.shape[1] == batch
                    assert np.array_equal(known, inputs[: len(known)].astype(np.float64) * heads)
                    truncated.add(len(known) < len(inputs))
    assert truncated == {True, False}
    assert len(set(places.values())) == len(places)


def test_what_is_kept_of_an_artifact_is_for_the_batch_sizes_that_it_was_exported_for(build):
    contender = {"projector": "lda", "runtime": "torchscript"}
    one, both = build(contender, batch_sizes=(1,)), build(contender, batch_sizes=(1, 4))
    assert one["place"] != both["place"]
    assert build(contender, batch_sizes=(4, 1))["place"] == both["place"]


LATE = """
import harness


class Late(harness.Projector):
    "Draws with torch, which it imports when it is built, and with NumPy and Python."

    name = "late"
    forms = ("numpy",)

    def build(self, heads, context):
        import random

        import numpy as np
        import torch

        drawn = torch.rand(heads.width, heads.output_width).numpy() * np.random.random() * random.random()
        return lambda queries: queries @ drawn


@harness.hookimpl
def harness_projectors():
    return [Late()]
"""

FRESH = """
import hashlib, json, sys
import numpy as np
from harness.measure.builder import Builder

made = Builder({"cache": sys.argv[1], "plugins": json.loads(sys.argv[3])})
assert "torch" not in sys.modules
built = made.build(json.loads(sys.argv[2]))
print(hashlib.sha256(np.load(built["place"] + "/reference-4.npy").tobytes()).hexdigest())
"""


def test_two_fresh_caches_hold_the_same_weights_though_torch_is_imported_by_build(answered_here, tmp_path):
    (tmp_path / "late.py").write_text(LATE)
    text = {
        "name": "late",
        "plugins": [str(tmp_path / "late.py")],
        "source": {"use": "playbook"},
        "heads": {"values": [18]},
        "batch_sizes": [4],
        "contenders": {"one": {"projector": "late", "runtime": "python"}},
    }
    loaded = loading.load(None, text=yaml.safe_dump(text))
    plan = planning.plan(loaded, check_suite(loaded))
    request = {"specification": plan.specifications["one"].to_json(), "heads": 18, "batch_sizes": [4]}
    asked = [json.dumps(request), json.dumps(dict(plan.plugins_of_sources))]
    commands = [[sys.executable, "-c", FRESH, str(tmp_path / name), *asked] for name in ("one", "other")]
    one, other = (
        subprocess.run(each, capture_output=True, text=True, check=True, timeout=60).stdout for each in commands
    )
    assert one == other
    assert one
