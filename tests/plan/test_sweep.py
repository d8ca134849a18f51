from __future__ import annotations

from harness.plan.check import check_suite
from harness.plan.sweep import Cell, sweep
from harness.suite.loading import load

SUITE = """
name: s
source: {use: resampled}
heads: {values: [18, 64, 256]}
batch_sizes: [1, 32]
contenders:
  loop: {projector: lda-loop, runtime: python, heads: {from: 18, to: 64}}
  lda: {projector: lda, runtime: eager}
  student: {projector: transformer, runtime: eager}
races:
  - {name: loop, baseline: loop, challenger: student}
  - {name: fair, baseline: lda, challenger: student, batch_sizes: [8], heads: {from: 20, to: 4096}, search: grid}
"""


def test_every_contender_n_and_b_is_a_cell_or_is_skipped_with_a_reason():
    found = sweep(load(None, text=SUITE).suite)
    assert len(found.cells) == 2 * (2 + 3 + 3)
    assert {(each.cell.contender, each.cell.heads, each.reason) for each in found.skipped} == {
        ("loop", 256, "the contender takes part from N = 18 to 64")
    }


def test_a_race_is_searched_over_what_all_share():
    cases = {(case.race, case.batch_size): case for case in sweep(load(None, text=SUITE).suite).cases}
    assert sorted(cases) == [("fair", 8), ("loop", 1), ("loop", 32)]
    assert (cases["loop", 1].low, cases["loop", 1].high) == (18, 64)
    assert (cases["fair", 8].low, cases["fair", 8].high, cases["fair", 8].method) == (20, 4096, "grid")


def test_steps_of_both_rivals_inside_the_range_reach_the_leg():
    found = sweep(load(None, text=SUITE).suite, {"student": (16, 32, 64, 256), "lda": (100,)})
    assert [case.steps for case in found.cases] == [(32,), (32,), (32, 64, 100, 256)]


def test_a_contender_that_declares_no_step_inside_a_range_still_declares():
    suite = load(None, text=SUITE).suite
    assert [case.declared for case in sweep(suite).cases] == [False] * 3
    assert [(case.declared, case.steps) for case in sweep(suite, {"lda": ()}).cases if case.race == "fair"] == [
        (True, ())
    ]
    unused = suite.model_copy(update={"search": suite.search.model_copy(update={"use_steps": False})})
    assert [(case.declared, case.steps) for case in sweep(unused, {"student": (64,)}).cases] == [(False, ())] * 3


def test_a_grid_has_the_points_of_the_table_and_of_the_races_own_range():
    cases = {case.race: case for case in sweep(load(None, text=SUITE).suite).cases}
    assert cases["loop"].points == ()
    assert cases["fair"].points == (20, 64, 76, 256, 286, 1083, 4096)


def test_a_contender_may_take_part_at_some_batch_sizes_alone():
    text = SUITE.replace("lda-loop, runtime: python,", "lda-loop, runtime: python, batch_sizes: [1],")
    found = sweep(load(None, text=text).suite)
    assert {cell.batch_size for cell in found.cells if cell.contender == "loop"} == {1}
    assert {each.reason for each in found.skipped if each.cell.heads == 18} == {"the contender takes part at batch 1"}
    assert [case.batch_size for case in found.cases if case.race == "loop"] == [1]


def test_a_contender_may_take_part_at_some_n_alone():
    text = SUITE.replace("heads: {from: 18, to: 64}", "heads: {values: [18, 256]}")
    found = sweep(load(None, text=text).suite)
    assert {cell.heads for cell in found.cells if cell.contender == "loop"} == {18, 256}
    assert {each.reason for each in found.skipped} == {"the contender takes part at N = 18, 256"}


def test_the_sources_limit_ends_the_sweep():
    found = sweep(load(None, text=SUITE).suite, limit=64)
    assert max(cell.heads for cell in found.cells) == 64
    assert {each.reason for each in found.skipped if each.cell.contender == "lda"} == {"the source has 64 heads"}
    assert {case.high for case in found.cases} == {64}


def test_a_broken_contender_is_skipped_and_its_races_are_not_run():
    found = sweep(load(None, text=SUITE).suite, broken={"lda": "its plugin hung"})
    assert Cell(contender="lda", heads=18, batch_size=1) not in found.cells
    assert {each.reason for each in found.skipped if each.cell.contender == "lda"} == {"its plugin hung"}
    assert {case.race for case in found.cases} == {"loop"}


def test_checking_fills_in_the_steps_that_projectors_declare(answered_here):
    found = check_suite(load(None, text=SUITE)).sweep
    assert set(found.steps) == {"student"}
    assert all(18 <= step < 4096 for step in found.steps["student"])


def test_those_that_are_raced_untrained_share_a_note(answered_here):
    (note,) = check_suite(load(None, text=SUITE)).notes
    assert note == "student is raced untrained: its latency counts, its output means nothing"
    more = SUITE.replace("races:", "  other: {projector: transformer, runtime: torchscript}\nraces:")
    (note,) = check_suite(load(None, text=more)).notes
    assert note == "student and other are raced untrained: their latencies count, their outputs mean nothing"


def test_contenders_of_a_plugin_that_failed_are_broken_and_the_others_run(answered_here, tmp_path):
    (tmp_path / "broken.py").write_text("raise RuntimeError('no license')")
    path = tmp_path / "suite.yaml"
    path.write_text(SUITE.replace("projector: lda,", "projector: quantum,") + "plugins: [./broken.py]\n")
    checked = check_suite(load(path))
    assert list(checked.broken) == ["lda"]
    assert checked.broken["lda"].startswith("no projector 'quantum'; it may belong to a plugin that failed to load: ")
    assert "broken.py: it cannot be imported: RuntimeError: no license" in checked.broken["lda"]
    assert {cell.contender for cell in checked.sweep.cells} == {"loop", "student"}
