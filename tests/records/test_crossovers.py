"""crossovers.json: what a search was asked and answered, written and read again."""

from __future__ import annotations

import json
import math
import re

import pytest

from harness.errors import RecordsError
from harness.plan.sweep import SearchCase
from harness.records.crossovers import SearchRecord, SearchSettings, dump, load
from harness.search.result import Crossing, Location, Probe

CASE = SearchCase(race="best", baseline="teacher", challenger="student", batch_size=4, low=2, high=1000)
FOUND = Location(
    status="crossing",
    crossings=(Crossing(heads=411, low=400, high=420, direction="challenger", confidence=0.95, kind="smooth"),),
    samples=84,
    probes=(Probe(heads=2, log_ratio=-0.5, low=-math.inf, high=math.nan, pairs=3, launches=1),),
    notes=("a note",),
    low=2,
    high=1000,
)


def test_what_is_written_is_read_again():
    record = SearchRecord(
        case=CASE, location=FOUND, seconds=1.5, asked=SearchSettings(precision=0.1, seed=3, prior=FOUND, further=2)
    )
    text = dump([record])
    stored = json.loads(text, parse_constant=pytest.fail)  # nothing that only Python reads
    assert text.endswith("}\n")
    assert stored["schema_version"] == 1
    assert stored["located"][0]["location"]["probes"][0]["low"] == "-inf"
    assert stored["located"][0]["location"]["probes"][0]["high"] == "nan"
    (again,) = load(stored["located"])
    assert (again.case, again.seconds, again.asked.seed, again.asked.further) == (CASE, 1.5, 3, 2)
    assert again.location.crossings == FOUND.crossings
    assert again.location.probes[0].low == -math.inf
    assert math.isnan(again.location.probes[0].high)
    assert again.asked.prior.notes == ("a note",)


def test_what_an_older_harness_did_not_write_has_its_default():
    (stored,) = json.loads(dump([SearchRecord(case=CASE, location=FOUND)]))["located"]
    for name in ("seconds", "quick", "asked"):
        del stored[name]
    (found,) = load([stored])
    assert (found.seconds, found.quick) == (0.0, False)
    assert found.asked == SearchSettings(precision=0.05, confidence=0.95, launches=8, seed=0, further=0)


def test_an_entry_of_another_shape_is_refused_with_its_place():
    (stored,) = json.loads(dump([SearchRecord(case=CASE, location=FOUND)]))["located"]
    stored["location"]["status"] = "lost"
    with pytest.raises(RecordsError, match=r"crossovers\.json: 0\.location\.status: .*run `harness verify`"):
        load([stored])
    assert load([]) == ()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"measured": [0, 1024]}, "it measured from N = 0 to 1,024"),
        ({"low": -1}, "it searched from N = -1 to 1,000"),
        ({"high": 10**400}, "it searched from N = 2 to a number of more than 150 digits"),
        ({"bracket": [5, 3]}, "its bracket is from N = 5 to 3"),
        (
            {"probes": [{"heads": 0, "log_ratio": 0.1, "low": 0.0, "high": 0.2, "pairs": 3, "launches": 1}]},
            "it looked from N = 0",
        ),
        (
            {
                "decision": {
                    "below": 0,
                    "above": 9,
                    "at_most": 0.1,
                    "before": "baseline",
                    "after": "challenger",
                    "confidence": 0.9,
                }
            },
            "its decision is from N = 0 to 9",
        ),
        (
            {
                "failures": [
                    {"low": 9, "high": 9, "last_good": 0, "next_good": None, "contender": "", "reason": "no room"}
                ]
            },
            "it worked from N = 0 to 0",
        ),
    ],
)
def test_an_n_that_no_search_visits_is_refused_wherever_it_stands(change, what):
    (stored,) = json.loads(dump([SearchRecord(case=CASE, location=FOUND)]))["located"]
    stored["location"] |= change
    with pytest.raises(RecordsError, match=re.escape(f"crossovers.json: best at batch 4: {what}")):
        load([stored])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"crossings": []}, "its status is 'crossing', and it has no crossing"),
        ({"crossings": [{"heads": 0}]}, "a crossing lies from N = 0 to 0"),
        ({"crossings": [{"low": 0}]}, "a crossing lies from N = 0 to 420"),
        ({"unconfirmed": [{"high": -5}]}, "a crossing lies from N = 400 to -5"),
    ],
)
def test_an_answer_that_no_search_gives_is_refused(change, what):
    (stored,) = json.loads(dump([SearchRecord(case=CASE, location=FOUND)]))["located"]
    ((name, several),) = change.items()
    stored["location"][name] = [{**stored["location"]["crossings"][0], **each} for each in several]
    with pytest.raises(RecordsError, match=rf"crossovers\.json: best at batch 4: {what}; run `harness verify`"):
        load([stored])
