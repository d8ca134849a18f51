from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError

import harness
from harness_plugins.transformer import ProjectionTransformer, TransformerProjector, optimal_architecture


@pytest.mark.parametrize(
    ("heads", "expected"), [(18, (4, 2)), (64, (4, 3)), (100, (4, 3)), (1, (4, 1)), (1000, (4, 5))]
)
def test_the_documented_examples(heads, expected):
    assert optimal_architecture(heads) == expected


@pytest.mark.parametrize("prefer_h", [2, 3, 4, 5, 8])
def test_no_number_of_layers_comes_closer(prefer_h):
    for heads in range(1, 2000):
        _, layers = optimal_architecture(heads, prefer_h)
        distances = {other: abs(prefer_h**other - heads) for other in range(1, 13)}
        assert distances[layers] == min(distances.values())
        assert not any(distances[other] == distances[layers] for other in range(1, layers))


def test_the_documented_algorithm_chooses_the_same():
    for heads in range(1, 5000):
        floor = max(1, int(math.log(heads) / math.log(4)))
        nearer = floor if abs(4**floor - heads) <= abs(4 ** (floor + 1) - heads) else floor + 1
        assert optimal_architecture(heads) == (4, nearer)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [((0,), "n_flat_heads must be at least 1, not 0"), ((9, 1), "prefer_h must be at least 2, not 1")],
)
def test_sizes_that_mean_nothing_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        optimal_architecture(*arguments)


@pytest.mark.parametrize("output_dim", [None, 5])
def test_the_documented_architecture(output_dim):
    student = ProjectionTransformer(16, 4, 2, 32, output_dim=output_dim)
    assert student(torch.randn(3, 16)).shape == (3, output_dim or 16)
    assert isinstance(student.encoder, torch.nn.TransformerEncoder)
    layer = student.encoder.layers[0]
    assert (len(student.encoder.layers), layer.self_attn.num_heads, layer.linear1.out_features) == (2, 4, 32)
    assert layer.dropout.p == 0.1
    assert layer.activation is torch.nn.functional.gelu
    assert not layer.norm_first


def test_the_documented_student_has_the_documented_size():
    assert sum(p.numel() for p in ProjectionTransformer(384, 4, 2, 512).parameters()) == 2_269_696


def test_a_query_does_not_depend_on_its_neighbours():
    student = ProjectionTransformer(16, 4, 2, 32).eval()
    batch = torch.randn(6, 16)
    torch.testing.assert_close(student(batch)[2:3], student(batch[2:3]))


@pytest.mark.parametrize("heads", [1, 2, 8])
def test_the_number_of_attention_heads_makes_no_difference(heads):
    four, other = ProjectionTransformer(16, 4, 3, 32).eval(), ProjectionTransformer(16, heads, 3, 32).eval()
    other.load_state_dict(four.state_dict())
    batch = torch.randn(5, 16)
    torch.testing.assert_close(other(batch), four(batch))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((10, 4, 1, 8), "embed_dim 10 is not a multiple of num_heads 4"),
        ((8, 4, 0, 8), "num_layers must be at least 1, not 0"),
    ],
)
def test_impossible_sizes_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        ProjectionTransformer(*arguments)


def test_what_is_saved_is_loaded(tmp_path):
    student = ProjectionTransformer(16, 2, 2, 24, dropout=0.3, output_dim=5).eval()
    student.save(tmp_path / "student.safetensors")
    loaded = ProjectionTransformer.load(tmp_path / "student.safetensors")
    assert loaded.configuration == student.configuration
    assert not loaded.training
    batch = torch.randn(4, 16)
    assert torch.equal(loaded(batch), student(batch))


def test_anything_else_is_not_loaded(tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "pickle.pt")
    (tmp_path / "text.safetensors").write_text("no weights")
    for name in ("pickle.pt", "text.safetensors", "missing.safetensors"):
        with pytest.raises(harness.DataError, match=r"it is not a saved ProjectionTransformer .*pickles are not read"):
            ProjectionTransformer.load(tmp_path / name)


def test_weights_of_another_model_are_not_loaded(tmp_path):
    import safetensors.torch

    safetensors.torch.save_file({"a": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(harness.DataError, match="KeyError"):
        ProjectionTransformer.load(tmp_path / "other.safetensors")


def test_the_projector_sizes_by_the_number_of_heads(make_heads):
    projector = TransformerProjector().with_options({"ff_dim": 40})
    built = projector.build(make_heads(64), harness.BuildContext(form="module"))
    assert not built.training
    assert built.configuration == {
        "embed_dim": 32, "num_heads": 4, "num_layers": 3, "ff_dim": 40, "output_dim": 24, "dropout": 0.1,
    }  # fmt: skip


def test_options_override_the_sizing(make_heads):
    projector = TransformerProjector().with_options({"num_heads": 2, "num_layers": 1})
    built = projector.build(make_heads(64), harness.BuildContext(form="module"))
    assert (built.configuration["num_heads"], built.configuration["num_layers"]) == (2, 1)
    assert projector.steps(1, 10**6) == ()
    assert projector.variant(5) == projector.variant(50_000)


def test_a_width_that_cannot_be_split_is_refused(make_heads):
    with pytest.raises(
        harness.ContenderError, match="transformer: queries of width 30 cannot be split into 4 attention heads"
    ):
        TransformerProjector().build(make_heads(4, width=30), harness.BuildContext(form="module"))


def test_unknown_options_are_refused():
    with pytest.raises(ValidationError, match="layers"):
        TransformerProjector().with_options({"layers": 2})


@pytest.mark.parametrize("prefer_h", [2, 4, 7])
def test_steps_are_where_the_layers_change(prefer_h):
    projector = TransformerProjector().with_options({"prefer_h": prefer_h})
    changes = [n for n in range(3, 3000) if projector.variant(n) != projector.variant(n + 1)]
    assert list(projector.steps(3, 3000)) == changes
    assert list(projector.steps(changes[1] + 1, changes[2] + 1)) == [changes[2]]
    assert list(projector.steps(changes[1], changes[2])) == [changes[1]]


def test_students_of_one_variant_and_seed_are_the_same(make_heads):
    projector = TransformerProjector()
    states = []
    for count in (11, 40):
        torch.manual_seed(3)
        states.append(projector.build(make_heads(count), harness.BuildContext(form="module", seed=3)).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_cost_counts_the_weights():
    built = ProjectionTransformer(384, 4, 2, 512)
    weights = sum(p.numel() for p in built.parameters() if p.ndim == 2)
    assert TransformerProjector().cost(18, 32, 384, 384).flops == pytest.approx(2 * 32 * weights)
