"""Where no change of the lead was seen: what the launches must confirm, on pairs without noise."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.search.throughout import everywhere, throughout
from tests.search.scripted import QUESTION, sampled

PLACES = (10, 100, 1000)


def search(ratio, weak=PLACES, signs=None, launches=4, **more):
    """A search at its end, with the signs that launch 0 saw."""
    prober = sampled(ratio, PLACES, launches=launches)
    seen = {n: (1 if ratio(n, 0) > 0 else -1 if ratio(n, 0) < 0 else 0) for n in PLACES}
    return SimpleNamespace(question=QUESTION, prober=prober, weak=list(weak), signs=signs or seen, unseen=0, **more)


@pytest.mark.parametrize(("level", "status"), [(0.4, "below"), (-0.4, "above")])
def test_a_large_lead_is_confirmed_where_it_was_looked_at(level, status):
    assert throughout(search(lambda n, launch: level)) == (status, "")
    assert throughout(search(lambda n, launch: level, weak=[10])) == (status, "")


def test_without_launches_nothing_is_confirmed():
    lacking = ("unresolved", "fewer than 3 further launches looked at who leads")
    assert throughout(search(lambda n, launch: 0.4, weak=[])) == lacking
    assert throughout(search(lambda n, launch: 0.4, launches=2)) == lacking
    assert throughout(search(lambda n, launch: 0.4, weak=[7])) == lacking  # an N that has no sign


def test_a_large_lead_that_the_launches_do_not_see_is_named():
    def turned(n, launch):
        return -0.4 if n == 100 and launch else 0.4

    found = throughout(search(turned, signs=dict.fromkeys(PLACES, 1)))
    assert found == ("unresolved", "the launches do not confirm who leads at N = 100")


def test_weak_leads_are_taken_together():
    assert throughout(search(lambda n, launch: 0.05)) == ("below", "")
    assert throughout(search(lambda n, launch: -0.05)) == ("above", "")
    wavering = search(lambda n, launch: 0.05 * (-1) ** launch)
    status, why = throughout(wavering)
    assert status == "unresolved"
    assert why.startswith("inconclusive: the pooled log-ratio is +0.000 (-0.")
    assert why.endswith(" over 3 probes")


def test_one_weak_lead_against_all_others_leaves_it_open():
    """Two at +0.2 and one at -0.15: the middle is above 0, and the launches are sure of the one that is not."""
    status, why = throughout(search(lambda n, launch: -0.15 if n == 1000 else 0.2))
    assert status == "unresolved"
    assert why.startswith("inconclusive: the pooled log-ratio is +0.")


def test_all_n_together_say_it_where_all_were_seen():
    status, why = everywhere(search(lambda n, launch: 0.0, launches=8))
    assert status == "tie"
    assert why.startswith(
        "over 3 N and 9 launches the baseline's time differs from the challenger's by +0.0% on average"
    )
    unseen = search(lambda n, launch: 0.0, launches=8)
    unseen.unseen = 1
    assert everywhere(unseen) is None
    assert everywhere(search(lambda n, launch: 0.2 if n > 50 else -0.2, launches=8)) is None
