from __future__ import annotations

from harness.analysis.data import data_of, lines, warnings
from harness.analysis.fidelity.table import FidelityRow
from harness.records.measurement import RunInfo

SOURCE = {
    "kind": "real", "digest": "0123456789abcdef",
    "description": "projection 2 ('warm') of lda.db, first 18 of 18 heads",
    "heads": 18, "width": 384, "output_width": 384, "temperature": 0.1, "train_queries": 1144, "held_out_queries": 286,
    "matrices": 0, "notes": ["lda.db also holds 1 ('cool', T = 1.0, N = 18): choose one"],
}  # fmt: skip
LINE = (
    "projection 2 ('warm') of lda.db, first 18 of 18 heads; N = 18, T = 0.1; "
    "1,144 training and 286 held-out queries; real; digest 0123456789ab"
)


def run(source=SOURCE, contenders=("a", "b", "c"), **sources):
    suite = {"contenders": {name: {} for name in contenders}}
    return RunInfo(suite=suite, suite_path="", suite_digest="", started="", source=source, sources=sources)


def row(contender, heads, queries, **scores):
    return FidelityRow(
        contender=contender, heads=heads, temperature=0.1, seeds=1, scores=scores, intervals={}, spread={},
        thresholds={}, trained=True, queries=queries, over_queries={},
    )  # fmt: skip


def test_a_line_tells_which_heads_and_how_many_queries_and_the_notes_follow():
    assert lines(data_of(run())) == [LINE, "lda.db also holds 1 ('cool', T = 1.0, N = 18): choose one"]


def test_functions_have_no_data():
    assert data_of(run({})) == ()


def test_a_record_of_an_earlier_version_has_no_notes():
    assert lines(data_of(run({name: value for name, value in SOURCE.items() if name != "notes"}))) == [LINE]


def test_few_held_out_queries_are_marked():
    (found,) = data_of(run(SOURCE | {"held_out_queries": 29}))
    assert "1,144 training and 29 held-out queries (fewer than 30); real" in found.sentence
    (found,) = data_of(run(SOURCE | {"held_out_queries": 30}))
    assert "fewer" not in found.sentence


def test_contenders_with_a_source_of_their_own_are_told_apart():
    own = SOURCE | {"description": "elsewhere", "notes": ["noted"]}
    first, second = data_of(run(b=own, c=dict(own)))
    assert first.contenders == ()
    assert second.contenders == ("b", "c")
    assert second.lines == (f"b, c: {second.sentence}", "b, c: noted")
    assert [each.contenders for each in data_of(run(a=own, b=own, c=own))] == [("a", "b", "c")]


def test_scores_on_few_held_out_queries_are_warned_of_where_they_are():
    table = [
        row("x", 2, 1, mean_cosine=0.8), row("y", 2, 1, mean_cosine=0.9), row("x", 18, 12, mean_cosine=0.8),
        row("x", 36, 12, mean_cosine=0.8), row("x", 64, 30, mean_cosine=0.8), row("failed", 3, 0), row("failed", 4, 5),
    ]  # fmt: skip
    assert list(warnings(table)) == [
        "at N = 2 fidelity was scored on one held-out query: it has no interval",
        "at N = 18, 36 fidelity was scored on 12 held-out queries, fewer than 30: its intervals are too narrow",
    ]
