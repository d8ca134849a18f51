"""Where no change of the lead was seen: what the launches must confirm, and when they contradict each other."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from harness.search import locate
from harness.search.single_leader import leader_throughout, shared_answer
from tests.search.scripted import QUESTION, sampled

PLACES = (10, 100, 1000)


def search(ratio, weak=PLACES, signs=None, launches=4, **more):
    """A search at its end, with the signs that launch 0 saw."""
    sampler = sampled(ratio, PLACES, launches=launches)
    seen = {n: (1 if ratio(n, 0) > 0 else -1 if ratio(n, 0) < 0 else 0) for n in PLACES}
    return SimpleNamespace(question=QUESTION, sampler=sampler, weak=list(weak), signs=signs or seen, unprobed=0, **more)


@pytest.mark.parametrize(("level", "status"), [(0.4, "below"), (-0.4, "above")])
def test_a_large_lead_is_confirmed_where_it_was_looked_at(level, status):
    assert leader_throughout(search(lambda n, launch: level)) == (status, "")
    assert leader_throughout(search(lambda n, launch: level, weak=[10])) == (status, "")


def test_without_launches_nothing_is_confirmed():
    lacking = ("unresolved", "fewer than 3 further launches looked at who leads")
    assert leader_throughout(search(lambda n, launch: 0.4, weak=[])) == lacking
    assert leader_throughout(search(lambda n, launch: 0.4, launches=2)) == lacking
    assert leader_throughout(search(lambda n, launch: 0.4, weak=[7])) == lacking  # an N that has no sign


def test_a_large_lead_that_the_launches_do_not_see_is_named():
    def turned(n, launch):
        return -0.4 if n == 100 and launch else 0.4

    found = leader_throughout(search(turned, signs=dict.fromkeys(PLACES, 1)))
    assert found == ("unresolved", "the launches do not confirm who leads at N = 100")


def test_weak_leads_are_taken_pooled_by_launch():
    assert leader_throughout(search(lambda n, launch: 0.05)) == ("below", "")
    assert leader_throughout(search(lambda n, launch: -0.05)) == ("above", "")
    wavering = search(lambda n, launch: 0.05 * (-1) ** launch)
    status, why = leader_throughout(wavering)
    assert status == "unresolved"
    assert why.startswith("inconclusive: the pooled log-ratio is +0.000 (-0.")
    assert why.endswith(" over 3 probes")


def test_one_weak_lead_against_all_others_leaves_it_open():
    """Two at +0.2 and one at -0.15: the middle is above 0, and the launches are sure of the one that is not."""
    status, why = leader_throughout(search(lambda n, launch: -0.15 if n == 1000 else 0.2))
    assert status == "unresolved"
    assert why.startswith("inconclusive: the pooled log-ratio is +0.")


def test_all_n_together_say_it_where_all_were_seen():
    status, why = shared_answer(search(lambda n, launch: 0.0, launches=8))
    assert status == "tie"
    assert why.startswith(
        "over 3 N and 9 launches the baseline's time differs from the challenger's by +0.0% on average"
    )
    unseen = search(lambda n, launch: 0.0, launches=8)
    unseen.unprobed = 1
    assert shared_answer(unseen) is None
    assert shared_answer(search(lambda n, launch: 0.2 if n > 50 else -0.2, launches=8)) is None


def answer(small, large, *, high=10_000, precision=0.15):
    """The answer about a challenger `small` times as fast below n = 700 and beyond `large[launch]` times, in turn."""
    random = np.random.default_rng(1)

    def measure(heads, rounds, launch):
        ratio = small if heads < 700 else large[launch % len(large)]
        return [tuple(np.exp([np.log(ratio) + random.normal(0, 0.02), random.normal(0, 0.02)])) for _ in range(rounds)]

    return locate(measure, 8, high, precision=precision, confidence=0.95, launches=8)


@pytest.mark.parametrize("precision", [0.05, 0.15])
def test_processes_of_two_kinds_have_no_leader_throughout(precision):
    """At large n half of the processes see the baseline lead by 9 %, the others the challenger by 43 % (seen: str.find)."""
    found = answer(1.15, (1.43, 0.91), precision=precision)
    assert found.status == "unresolved"
    assert found.notes[0].startswith(("the launches ", "inconclusive from N = "))
    assert "10,000" in found.notes[0]


def test_processes_of_two_kinds_at_every_n_have_no_leader_either():
    found = answer(1.0, (1.5, 0.9), high=600)
    assert found.status == "tie"  # of the same kind below 700
    found = answer(1.43, (1.43, 0.91))
    assert found.status == "unresolved"


@pytest.mark.parametrize(("large", "status"), [((1.43, 1.1), "below"), ((1.12, 1.15), "below")])
def test_processes_that_differ_and_agree_on_the_leader_have_one(large, status):
    assert answer(1.15, large).status == status
