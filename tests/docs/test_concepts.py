"""The words have one page, and every page with a table leads to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
CONCEPTS = (DOCS / "concepts.md").read_text(encoding="utf-8")
PAGES = sorted(
    each.name for each in DOCS.glob("*.md") if re.search(r"^\|-", each.read_text(encoding="utf-8"), re.MULTILINE)
)
WORDS = (
    "Multi-head LDA projection", "Temperature", "Effective heads", "Teacher, student", "Folding", "Mean cosine", "Skill",
    "Top-1 agreement", "Recall@10", "Norm error", "Launch", "Pair", "Decision interval", "Held-out queries",
    "Trivial students", "Routed student", "Embedder",
)  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_defined(word):
    assert re.search(rf"^\*\*{re.escape(word)}", CONCEPTS, re.MULTILINE)


def test_the_projection_has_its_formula_and_is_told_from_its_namesakes():
    assert "w = softmax(s / T)" in CONCEPTS
    assert "neither Linear Discriminant Analysis nor Latent Dirichlet Allocation" in CONCEPTS


@pytest.mark.parametrize("page", PAGES)
def test_a_page_with_a_table_leads_to_the_words(page):
    assert "concepts.md" in (DOCS / page).read_text(encoding="utf-8")
