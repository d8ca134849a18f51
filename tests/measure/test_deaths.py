"""Who gets no further process."""

from __future__ import annotations

from harness.measure.deaths import ENOUGH, Deaths


def test_a_contender_that_only_ever_dies_is_given_up():
    deaths = Deaths()
    for _ in range(ENOUGH):
        assert not deaths.hopeless("bad")
        deaths.died("bad")
    assert deaths.hopeless("bad")
    assert not deaths.hopeless("good")


def test_one_that_has_succeeded_anywhere_is_tried_again_however_often_it_dies():
    deaths = Deaths()
    deaths.lived("large-n-kills-it")
    for _ in range(10 * ENOUGH):
        deaths.died("large-n-kills-it")
    assert not deaths.hopeless("large-n-kills-it")
