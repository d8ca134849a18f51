"""One cell as a summary, from seconds written down by hand."""

from __future__ import annotations

import pytest

from harness.analysis.cells import summarise_cell
from harness.process.failure import Failure
from harness.records.measurement import INTERRUPTED, RIVAL_FAILED, Parity
from tests.synthetic import Maker


def record(launch=1, seconds=(2.0, 2.0), **more):
    """Of batch 4, without single calls, unless it says otherwise."""
    made = Maker().visit(["teacher"], 18, 4, launch, len(seconds))[0]
    sampled = made.sampled.model_copy(update={"seconds": tuple(seconds)})
    return made.model_copy(update={"sampled": sampled, "call_seconds": (), **more})


def failed(what="it broke", stage="load", **more):
    failure = Failure(stage=stage, what=what, kind="error")
    return record(outcome="failed", sampled=None, failure=failure, **more)


def test_a_call_is_a_query_for_each_of_the_batch():
    found = summarise_cell([record(1), record(2)])
    assert (found.call.value, found.query.value, found.throughput.value) == pytest.approx((2.0, 0.5, 2.0))
    assert (found.outcome, found.samples, found.launches, found.failure) == ("measured", 4, 2, "")
    assert found.query.low == pytest.approx(found.call.low / 4)


def test_what_happens_once_in_a_process_is_summarised_over_launches():
    found = summarise_cell(
        [record(1, first_call_seconds=3.0, load_seconds=0.1), record(2, first_call_seconds=3.0, load_seconds=0.0)]
    )
    assert (found.first_call.value, found.first_call.launches) == (pytest.approx(3.0), 2)
    assert (found.load.value, found.load.launches) == (pytest.approx(0.1), 1)  # 0 s was not measured
    assert summarise_cell([record(1, first_call_seconds=None)]).first_call is None


def test_sizes_are_the_median_and_memory_is_the_most():
    found = summarise_cell(
        [
            record(1, model_bytes=10, build_seconds=1.0, base_rss_bytes=100, added_rss_bytes=5, peak_rss_bytes=500),
            record(2, model_bytes=13, build_seconds=2.0, base_rss_bytes=90, added_rss_bytes=30, peak_rss_bytes=400),
            record(3, model_bytes=30, build_seconds=9.0, base_rss_bytes=None, added_rss_bytes=900, peak_rss_bytes=None),
        ]
    )
    assert (found.model_bytes, found.build_seconds, found.memory_bytes, found.peak_rss_bytes) == (13, 2.0, 120, 500)
    bare = summarise_cell([record(1, model_bytes=None, build_seconds=None, peak_rss_bytes=None)])
    assert (bare.model_bytes, bare.build_seconds, bare.memory_bytes, bare.peak_rss_bytes) == (None, None, None, None)


@pytest.mark.parametrize(
    ("count", "wanted"),
    [
        (5, []),
        (6, [0.5]),
        (29, [0.5]),
        (30, [0.5, 0.9]),
        (59, [0.5, 0.9]),
        (60, [0.5, 0.9, 0.95]),
        (299, [0.5, 0.9, 0.95]),
        (300, [0.5, 0.9, 0.95, 0.99]),
    ],
)
def test_a_percentile_needs_three_calls_beyond_it(count, wanted):
    found = summarise_cell([record(1, call_seconds=tuple(1.0 + i for i in range(count)))])
    assert list(found.percentiles) == wanted


def test_the_worst_error_counts_and_a_comparison_with_itself_is_marked():
    found = summarise_cell(
        [record(1, parity=Parity(error=1e-6, tolerance=1e-4)), record(2, parity=Parity(error=3e-6, tolerance=1e-4))]
    )
    assert (found.parity_error, found.unchecked) == (3e-6, False)
    assert summarise_cell([record(1, parity=Parity(error=0.0, tolerance=1e-4, against="itself"))]).unchecked


def test_a_cell_that_failed_says_why_and_how_often():
    found = summarise_cell([failed(), failed(), failed("another")])
    assert (found.outcome, found.call, found.query, found.throughput) == ("failed", None, None, None)
    assert found.failure == "load: it broke"  # the commonest reason of those that failed every time
    assert summarise_cell([failed(), failed()]).failure == "load: it broke"
    assert summarise_cell([record(1), failed()]).failure == "load: it broke (in 1 of 2 visits)"


def test_a_cell_that_was_skipped_says_why_unless_its_rival_was_to_blame():
    def skipped(reason):
        return record(outcome="skipped", sampled=None, reason=reason)

    found = summarise_cell([skipped(RIVAL_FAILED), skipped("too slow")])
    assert (found.outcome, found.failure) == ("skipped", "too slow")
    assert summarise_cell([skipped(RIVAL_FAILED)]).failure == ""
    assert summarise_cell([skipped(INTERRUPTED)]).failure == ""  # a visit that a signal cut off is no failure
    assert summarise_cell([failed(), skipped(INTERRUPTED)]).failure == "load: it broke"  # nor one of those made
    assert summarise_cell([record(1), skipped("too slow")]).failure == ""
