"""What an approximation is worth, in words."""

from __future__ import annotations

from types import SimpleNamespace

from harness.analysis.approximation import UNSCORED, answer, score


def row(heads, contender="near", **scores):
    return SimpleNamespace(contender=contender, heads=heads, scores=scores)


def test_agreement_comes_before_the_cosine():
    assert score(row(18, top1_agreement=0.96912, mean_cosine=0.5)) == "top-1 0.969"
    assert score(row(18, mean_cosine=0.99996)) == "cosine 0.99996"  # 1.000 would say that it is exact
    assert score(row(18)) == score(None) == UNSCORED


def test_the_worst_n_comes_first_and_the_best_after_it():
    table = [row(18, top1_agreement=1.0), row(64, top1_agreement=0.98), row(65536, top1_agreement=0.969)]
    assert answer("near", "lda", table) == "near approximates lda: top-1 0.969 at N = 65,536, 1.000 at N = 18"


def test_of_equal_scores_the_largest_n_is_worst_and_one_row_is_named_once():
    table = [row(18, top1_agreement=0.5), row(64, top1_agreement=0.5)]
    assert answer("near", "lda", table) == "near approximates lda: top-1 0.500 at N = 64, 0.500 at N = 18"
    assert answer("near", "lda", table[:1]) == "near approximates lda: top-1 0.500 at N = 18"


def test_without_a_score_that_is_said():
    other = [row(18, contender="other", top1_agreement=1.0), row(18), row(18, norm_error=0.1)]
    assert answer("near", "lda", other) == "near approximates lda, and was not scored"
