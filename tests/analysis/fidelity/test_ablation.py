"""What one option changes, read from contenders that differ in it alone."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.analysis.fidelity.ablation import ablations
from harness.suite.schema import Suite


def suite(**contenders):
    base = {"projector": "mlp", "runtime": "eager"}
    made = {name: {**base, **more} for name, more in contenders.items()}
    text = {"name": "one", "source": {"use": "small"}, "heads": {"values": [18]}, "contenders": made}
    return Suite.model_validate(text)


def row(contender, cosine, heads=18, temperature=1.0, spread=None, **scores):
    return SimpleNamespace(
        contender=contender, heads=heads, temperature=temperature, scores={"mean_cosine": cosine, **scores},
        spread={"mean_cosine": spread} if spread else {},
    )  # fmt: skip


def options(**values):
    return {name: {"options": {"layers": value}} for name, value in values.items()}


def test_an_option_that_changes_no_score_makes_no_difference():
    table = [row("a", 0.95, top1_agreement=0.9), row("b", 0.95001, top1_agreement=0.90004)]
    (told,) = ablations(table, suite(**options(a=1, b=2)))
    assert told == (
        "layers makes no difference to mlp: at N = 18 contenders that differ in it alone (1, 2) have the same scores "
        "to within 4e-05"
    )
    (exact,) = ablations([row("a", 0.95), row("b", 0.95)], suite(**options(a=1, b=2)))
    assert exact.endswith("have the same scores to the last digit")


@pytest.mark.parametrize("scores", [{"mean_cosine": 0.9502}, {"top1_agreement": 0.9002}, {"recall_at_10": 0.5002}])
def test_any_score_that_differs_by_more_than_rounding_is_a_difference(scores):
    same = {"mean_cosine": 0.95, "top1_agreement": 0.9, "recall_at_10": 0.5}
    rows = [row("a", 0.95, **{k: v for k, v in same.items() if k != "mean_cosine"})]
    other = {**same, **scores}
    rows.append(row("b", other.pop("mean_cosine"), **other))
    assert ablations(rows, suite(**options(a=1, b=2))) == ()


def test_contenders_that_differ_in_something_else_too_say_nothing():
    contenders = options(a=1, b=2)
    contenders["b"]["options"]["width"] = 3
    table = [row("a", 0.95), row("b", 0.95)]
    assert ablations(table, suite(**contenders)) == ()
    assert ablations([row("a", 0.95), row("b", 0.95, temperature=0.1)], suite(**options(a=1, b=2))) == ()
    assert ablations([row("a", 0.95), row("b", 0.95, heads=36)], suite(**options(a=1, b=2))) == ()
    other = options(a=1, b=2)
    other["b"]["runtime"] = "torchscript"
    assert ablations(table, suite(**other)) == ()


def test_a_difference_below_that_of_training_seeds_is_told_as_one():
    table = [
        row("a", 0.95), row("b", 0.95),
        row("a", 0.90, heads=1024, spread=(0.85, 0.92)), row("b", 0.93, heads=1024, spread=(0.92, 0.94)),
    ]  # fmt: skip
    (told,) = ablations(table, suite(**options(a=1, b=2)))
    assert told.endswith(
        "have the same scores to the last digit; at N = 1,024 some differ by up to 0.0300, where training seeds differ "
        "by 0.0700: training amplifies its rounding there"
    )
    table[2] = row("a", 0.90, heads=1024, spread=(0.89, 0.91))
    assert ablations(table, suite(**options(a=1, b=2))) == ()


def grown(ends):
    """Scores of 1, 2 and 4 layers at two N."""
    return [
        row(name, cosine, heads=heads)
        for heads, cosines in ends.items()
        for name, cosine in zip("abc", cosines, strict=True)
    ]


def test_the_largest_gain_is_told_where_there_are_three_values_and_two_n():
    three = suite(**options(a=1, b=2, c=4))
    (told,) = ablations(grown({18: (0.5, 0.7, 0.8), 1024: (0.2, 0.6, 0.7)}), three)
    assert told == (
        "the largest gain of mlp in mean cosine by one more layers is from 1 to 2 (+0.2000) at N = 18, from 1 to 2 (+0.4000) "
        "at N = 1,024: at the same value for every N"
    )
    (moved,) = ablations(grown({18: (0.5, 0.7, 0.8), 1024: (0.2, 0.3, 0.7)}), three)
    assert "from 2 to 4 (+0.4000) at N = 1,024: not at the same value for every N" in moved
    assert ablations(grown({18: (0.5, 0.7, 0.8)}), three) == ()
    two = [each for each in grown({18: (0.5, 0.7, 0.8), 1024: (0.2, 0.6, 0.7)}) if each.contender != "c"]
    assert ablations(two, three) == ()


def test_values_that_are_words_have_no_order():
    words = suite(**options(a="relu", b="gelu", c="tanh"))
    assert ablations(grown({18: (0.5, 0.7, 0.8), 1024: (0.2, 0.6, 0.7)}), words) == ()
