from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import harness
from harness.measure.query_split import without_held_out

ROWS = np.random.default_rng(0).standard_normal((30, 8), dtype=np.float32)
HEADS = harness.Heads(centroids=ROWS[:4], answers=ROWS[4:8], temperature=0.1)


def data(train, held_out):
    about = harness.Provenance(kind="synthetic", description="drawn", digest="d", notes=("before",))
    return harness.Dataset(heads=HEADS, train_queries=train, held_out_queries=held_out, provenance=about)


def test_what_is_apart_stays_as_it_is():
    given = data(ROWS[:20], ROWS[20:])
    assert without_held_out(given) is given
    assert without_held_out(data(ROWS[:0], ROWS)).provenance.digest == "d"
    assert without_held_out(data(ROWS, ROWS[:0])).provenance.digest == "d"


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_held_out_queries_leave_the_training_whatever_the_source_gave(kind):
    given = data(np.concatenate([ROWS[:20], ROWS[20:26].astype(kind)]).astype(np.float32), ROWS[20:])
    found = without_held_out(given)
    np.testing.assert_array_equal(found.train_queries, ROWS[:20])
    np.testing.assert_array_equal(found.held_out_queries, ROWS[20:])
    assert found.train_queries.flags.c_contiguous
    assert found.provenance.notes == (
        "before", "6 of 26 training queries are also held out, and were dropped from training",
    )  # fmt: skip
    assert found.provenance.digest not in ("d", without_held_out(data(ROWS[:22], ROWS[20:])).provenance.digest)


def test_a_source_that_holds_out_what_it_trains_on_cannot_be_used():
    with pytest.raises(harness.DataError, match="drawn: all 20 training queries are also held out; give other queries"):
        without_held_out(data(ROWS[:20], ROWS))


def test_every_source_passes_through_it(tmp_path):
    """A stranger's source, as builder and worker load it."""
    from harness.measure.construction import Construction
    from harness.plan.specification import OfferReference, Specification

    plugin = tmp_path / "leaking.py"
    plugin.write_text(
        "import harness, numpy\n"
        "class Leaking(harness.Source):\n"
        "    'Holds out what it trains on.'\n"
        "    name = 'leaking'\n"
        "    def load(self, heads, context):\n"
        "        rows = numpy.random.default_rng(0).standard_normal((50, 8), dtype='float32')\n"
        "        about = harness.Provenance(kind='synthetic', description='leaking', digest='x')\n"
        "        mine = harness.Heads(centroids=rows[:4], answers=rows[4:8], temperature=0.1)\n"
        "        return harness.Dataset(heads=mine, train_queries=rows, held_out_queries=rows[40:], provenance=about)\n"
        "@harness.hookimpl\n"
        "def harness_sources():\n"
        "    return [Leaking()]\n"
    )
    source = OfferReference(kind="source", name="leaking", plugin=f"file:{Path(plugin)}")
    found = Construction({}).source_data(Specification(contender="x", source=source), 4)
    assert len(found.train_queries) == 40
    assert found.provenance.notes == ("10 of 50 training queries are also held out, and were dropped from training",)
