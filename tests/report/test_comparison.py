"""A comparison as Markdown is pasted below pull requests: nothing that a run says is read as markup there."""

from __future__ import annotations

import dataclasses

from harness.analysis.compare.runs import compare
from harness.report import comparison
from tests.synthetic import Maker


def test_no_text_of_a_run_is_markup():
    maker = Maker().table(launches=2, rounds=2)
    found = compare(maker.evidence(), maker.evidence(), 0.05)
    hostile = "~~~ <img src=x> @team [a](https://b.c) | `d`\n# e"
    found = dataclasses.replace(
        found, old="`a` <b>", changed=(hostile,), removed=(hostile,), broken=(hostile,), doubts=(hostile,),
        cells=tuple(dataclasses.replace(each, contender=hostile) for each in found.cells),
    )  # fmt: skip
    said = comparison.markdown(found)
    for markup in ("~~~", "<img", "@team", "[a](", "https://", "`d`", "\n# e", "<b>` →"):
        assert markup not in said.replace("`'a' <b>` →", "")
    assert "`'a' <b>` → `synthetic`" in said
    rows = [line for line in said.splitlines() if line.startswith("| \\~")]
    assert rows
    assert all(line.replace("\\|", "").count("|") == 8 for line in rows)
