from __future__ import annotations

import copy

import pytest
import torch

import harness
from harness_plugins.distillation import train_distillation
from harness_plugins.folding import fold
from harness_plugins.transformer import ProjectionTransformer, TransformerProjector


def student(layers=2, seed=0, **options):
    """With every weight and bias away from its initial value, as training would leave them."""
    torch.manual_seed(seed)
    made = ProjectionTransformer(48, 4, layers, 64, **{"output_dim": 40, **options})
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return made.eval()


def difference(plain, folded, queries):
    with torch.no_grad():
        return float((plain(queries) - folded(queries)).abs().max())


@pytest.mark.parametrize("layers", range(1, 9))
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_the_folded_student_computes_the_same(layers, dtype, tolerance):
    plain = student(layers).to(dtype)
    folded = fold(plain)
    assert all(p.dtype == dtype for p in folded.parameters())
    assert difference(plain, folded, torch.randn(20, 48, dtype=dtype)) <= tolerance


@pytest.mark.parametrize("layers", [1, 2, 4])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_a_trained_student_folds_as_well(layers, dtype, tolerance):
    plain = student(layers, output_dim=None).to(dtype)
    queries = torch.randn(30, 48, dtype=dtype)
    train_distillation(plain, torch.sin, queries, 30, learning_rate=1e-2)
    assert difference(plain, fold(plain), queries) <= tolerance


def documented(layers, num_heads=4, dtype=torch.float32):
    """Of the documented width, with biases and norms away from their initial values."""
    torch.manual_seed(layers)
    made = ProjectionTransformer(384, num_heads, layers, 512).to(dtype)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return made.eval()


@pytest.mark.parametrize("layers", range(1, 9))
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_students_of_the_documented_width_fold_exactly(layers, dtype, tolerance):
    plain = documented(layers, dtype=dtype)
    queries = torch.nn.functional.normalize(torch.randn(16, 384, dtype=dtype), dim=1)
    assert difference(plain, fold(plain), queries) <= tolerance


@pytest.mark.parametrize("layers", [1, 3, 5, 8])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_trained_students_of_the_documented_width_fold_exactly(layers, dtype, tolerance):
    plain = documented(layers)
    queries = torch.nn.functional.normalize(torch.randn(32, 384), dim=1)
    before = plain.output_proj.weight.detach().clone()
    train_distillation(plain, torch.sin, queries, 4, learning_rate=1e-3, seed=0)
    assert float((plain.output_proj.weight.detach() - before).abs().max()) > 1e-3
    plain.to(dtype)
    assert difference(plain, fold(plain), queries.to(dtype)) <= tolerance


def test_the_number_of_attention_heads_changes_nothing_bit_for_bit():
    """In evaluation: in training, the attention's own dropout silences the parts of a row that belong to a head."""
    queries = torch.nn.functional.normalize(torch.randn(16, 384), dim=1)
    students = [documented(2, num_heads=num_heads) for num_heads in (1, 2, 4, 8)]
    for other in students[1:]:
        other.load_state_dict(students[0].state_dict())
    first, *others = (each(queries) for each in students)
    assert all(torch.equal(other, first) for other in others)
    # Without gradients PyTorch takes fused kernels, and for H = 1 one that adds in another order: equal to rounding.
    with torch.no_grad():
        first, *others = (each(queries) for each in students)
    assert all(torch.allclose(other, first, rtol=0, atol=1e-5) for other in others)


def test_while_it_trains_it_computes_the_same():
    plain = student()
    folded, queries = fold(plain), torch.randn(9, 48)
    torch.testing.assert_close(folded.train()(queries), folded.eval()(queries), rtol=0, atol=1e-5)


def test_one_changed_weight_is_seen():
    plain = student()
    folded = fold(plain)
    with torch.no_grad():
        plain.encoder.layers[1].linear1.weight[0, 0] += 0.5
    assert difference(plain, folded, torch.randn(20, 48)) > 1e-4


def test_the_student_itself_is_left_alone():
    plain = student()
    before = copy.deepcopy(plain.state_dict())
    fold(plain)
    assert all(torch.equal(before[name], value) for name, value in plain.state_dict().items())


def test_other_epsilons_of_the_norms_are_kept():
    plain = student()
    for layer in plain.encoder.layers:
        layer.norm1.eps, layer.norm2.eps = 0.3, 0.2
    assert difference(plain, fold(plain), torch.randn(9, 48)) <= 1e-5


def test_about_half_the_documented_weights_remain():
    folded = fold(ProjectionTransformer(384, 4, 2, 512))
    assert sum(p.numel() for p in folded.parameters()) == 1_232_512


class Changed(ProjectionTransformer):
    def forward(self, query):
        return -super().forward(query)


def with_layer(change):
    made = student()
    change(made.encoder.layers[1])
    return made


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (
            torch.nn.Linear(4, 4),
            "a Linear is not known to be a ProjectionTransformer, so folding might change what it computes; set d",
        ),
        (Changed(8, 4, 1, 8), "a Changed is not known to be a ProjectionTransformer"),
        (with_layer(lambda layer: setattr(layer, "norm_first", True)), "layer 1 normalises before attention"),
        (with_layer(lambda layer: setattr(layer, "activation", torch.relu)), "the activation of layer 1 is not GELU"),
        (
            with_layer(lambda layer: setattr(layer.self_attn, "add_zero_attn", True)),
            "layer 1 attends to an added position",
        ),
        (
            with_layer(lambda layer: setattr(layer.self_attn, "in_proj_bias", None)),
            "the attention of layer 1 has other",
        ),
    ],
)
def test_what_would_change_is_refused(module, sentence):
    with pytest.raises(harness.ContenderError, match=sentence):
        fold(module)


def test_more_than_one_position_is_refused():
    with pytest.raises(
        harness.ContenderError,
        match="attention over 3 positions is not a linear map, so it cannot be folded; set deploy: plain",
    ):
        fold(student(), sequence_length=3)
    with pytest.raises(ValueError, match=r"takes queries \[B, D\], not 3 dimensions"):
        fold(student())(torch.randn(2, 3, 48))


def test_the_projector_deploys_it(make_heads):
    projector = TransformerProjector().with_options({"deploy": "folded", "ff_dim": 16})
    built = projector.build(make_heads(18), harness.BuildContext(form="module"))
    deployed = projector.deploy(built)
    assert difference(built, deployed, torch.randn(5, 32)) <= 1e-5
    weights = sum(p.numel() for p in deployed.parameters() if p.ndim == 2)
    assert projector.cost(18, 32, 32, 24).flops == pytest.approx(2 * 32 * weights)
    assert TransformerProjector().deploy(built) is built
