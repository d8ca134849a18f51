"""What the builder leaves for a worker: artifacts with their seconds, and references that prove something."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from harness import planning
from harness.measure.builder import Builder
from harness.suite import source

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
        loaded = source.load(None, text=text)
        plan = planning.plan(loaded, source.check(loaded))
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
