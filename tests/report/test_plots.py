"""Charts: one colour and mark for each contender, labels on axes of any length, names that do not lie upon each other."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import altair as alt
import pytest
from altair.utils import schemapi

from harness.plan.sweep import SearchCase
from harness.report.plots import leadmap, plots
from harness.report.plots.grammar import HEIGHT, LABELS, MOST_LABELS, PALETTE, as_picture, slots, spread_apart, ticks
from harness.report.plots.pairs import evidence


def spec(summary, name):
    return next(each for each in plots(summary) if each.name == name).chart.to_dict(validate=False)


def test_every_part_of_a_chart_keeps_altairs_schema(summary):
    """Reports are written without looking, since looking takes as long as all the rest of them."""
    assert schemapi.DEBUG_MODE
    assert len(plots.__wrapped__(summary)) == len(plots(summary))
    assert leadmap.lead_map.__wrapped__(summary) is not None
    with pytest.raises(schemapi.SchemaValidationError):
        alt.Axis(titel="N")
    assert schemapi.DEBUG_MODE


@pytest.mark.parametrize("count", [1, 2, 8, 9, 19, 48])
def test_a_place_of_the_palette_is_used_once_in_each_round(count):
    found = slots([f"contender-{place}" for place in range(count)])
    assert len(set(found.values())) == count
    assert len({slot % len(PALETTE) for slot in found.values()}) == min(count, len(PALETTE))


def test_most_contenders_keep_their_colour_where_others_join():
    names = ["loop", "teacher", "student", "linear"]
    before, after = slots(names), slots(["newcomer", *names])
    assert sum(before[name] == after[name] for name in names) >= 3


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1, 1e6, [10.0**power for power in range(7)]),
        (18, 1024, [20, 50, 100, 200, 500, 1000]),
        (6000, 8000, [6000, 6500, 7000, 7500, 8000]),
        (0.9, 1.25, [0.9, 1.0, 1.1, 1.2]),
    ],
)
def test_axes_have_labels_on_every_range(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("low", "high"), [(low, low * factor) for low in (0.003, 1, 17, 5432) for factor in (1.05, 1.5, 4, 30)]
)
def test_axes_have_three_labels_or_more(low, high):
    found = ticks(low, high)
    assert 3 <= len(found) <= 12
    assert all(low <= each <= high for each in found)


@pytest.mark.parametrize("values", [[1, 1.001, 1.002], [5, 5, 5, 5, 5, 5], [1, 100], [100, 99, 98, 1]])
def test_names_at_the_end_of_lines_do_not_lie_upon_each_other(values):
    known = [1, 100, *values]
    pixels = sorted(HEIGHT * math.log(each / 1) / math.log(100) for each in spread_apart(values, known))
    assert all(later - earlier > 12 for earlier, later in itertools.pairwise(pixels))
    assert pixels[0] >= -0.5


def test_six_series_are_named_and_more_get_a_legend(summary):
    drawn = spec(summary, "latency-batch-1")
    named = as_picture(drawn)
    assert any(each.get("name") == LABELS for each in named["layer"])
    assert '"legend": {' not in str(named).replace("'", '"')
    name = next(each for each in drawn["layer"] if each.get("name") == LABELS)["data"]["name"]
    rows = drawn["datasets"][name]
    assert sorted(row["contender"] for row in rows) == ["loop", "student", "student-eager", "teacher"]
    more = [{**rows[0], "contender": f"other-{place}"} for place in range(MOST_LABELS)]
    drawn["datasets"][name] = [*rows, *more]
    crowded = as_picture(drawn)
    assert not any(each.get("name") == LABELS for each in crowded["layer"])
    assert '"legend": {' in str(crowded).replace("'", '"')


def test_a_reader_of_the_lead_map_sees_ratio_fidelity_and_memory(summary):
    drawn = spec(summary, "lead-map")
    shown = drawn["layer"][0]["encoding"]["tooltip"]
    assert [each["title"] for each in shown] == [
        "search", "faster", "times as fast", "interval", "low", "high", "fidelity", "memory",
    ]  # fmt: skip
    rows = [row for row in drawn["datasets"][drawn["layer"][0]["data"]["name"]] if row["search"] == "best, batch 32"]
    assert rows[0]["fidelity"] == "student: cosine 0.9897 at N = 18"
    assert rows[0]["memory"] == "teacher 80.0 MiB, student 80.0 MiB at N = 18"
    assert rows[-1]["memory"].endswith(" at N = 16,384")


def test_launches_are_dots_behind_each_interval(summary):
    for name, field in (("latency-batch-1", "ms"), ("slowdown-batch-1", "slowdown")):
        drawn = spec(summary, name)
        dots = [rows for rows in drawn["datasets"].values() if rows and set(rows[0]) >= {"N", field, "launch"}]
        assert len(dots) == 1
        assert {row["launch"] for row in dots[0]} == set(range(1, 9))


def test_pairs_over_time_are_those_next_to_the_crossover(summary):
    found = evidence(summary)
    for search in summary.searches:
        own = [each for each in found if each["search"] == search.case.label]
        assert 1 <= len(own) <= 3
        (crossing,) = search.located.location.crossings
        probed = sorted(
            (each.heads for each in search.located.location.probes if each.launches > 1),
            key=lambda heads: abs(math.log(heads / crossing.heads)),
        )
        assert {each["N"] for each in own} == set(probed[:3])
        for each in own:
            assert len(each["launch"]) == len(each["minutes"]) == len(each["ratio"])
            assert each["minutes"] == sorted(each["minutes"])
    nearest = min((each for each in found if each["race"] == "best"), key=lambda each: abs(math.log(each["N"] / 5870)))
    assert sorted(nearest["ratio"])[len(nearest["ratio"]) // 2] == pytest.approx(1, abs=0.1)


def test_rows_of_the_lead_map_name_the_batch_only_where_there_are_several():
    def named(*cases):
        return leadmap._names([SimpleNamespace(case=SearchCase(**each)) for each in cases])

    case = {"baseline": "one", "challenger": "other", "batch_size": 1, "low": 1, "high": 9}
    one, other = {**case, "race": "sorting"}, {**case, "race": "words"}
    assert set(named(one, other).values()) == {"sorting", "words"}
    assert set(named(one, {**other, "batch_size": 32}).values()) == {"sorting, batch 1", "words, batch 32"}
