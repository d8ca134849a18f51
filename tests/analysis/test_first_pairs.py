"""First pairs against the others: worked by hand, and on made-up visits with and without a slow start."""

from __future__ import annotations

import math

import pytest

from harness.analysis.first_pairs import FirstPairs, first_pairs
from tests.benchmarks.first_pairs import main
from tests.synthetic import SUITE, Maker

PAIR = ("teacher", "student")


def made(first=1.0, visits=40, sigma=0.03, **more):
    """A maker with visits of the race `best`; `first` slows the challenger's first sample."""
    maker = Maker(sigma=sigma, **more)
    for number in range(visits):
        maker.visit(PAIR, 1024, 1, 1 + number % 8, 6, "search", "best at batch 1")
        record = maker.measurements[-1]
        seconds = record.sampled.seconds
        slowed = record.sampled.model_copy(update={"seconds": (first * seconds[0], *seconds[1:])})
        maker.measurements[-1] = record.model_copy(update={"sampled": slowed})
    return maker


def test_by_hand():
    maker = made(visits=3, sigma=0.0)
    for place, factors in enumerate([(1.1, 1.0, 1.0, 1.2), (0.9, 1.0, 1.1, 1.0), (1.2, 1.0, 1.0, 1.0)]):
        record = maker.measurements[2 * place + 1]
        other = maker.measurements[2 * place]
        sampled = record.sampled.model_copy(
            update={"seconds": tuple(f * other.sampled.seconds[0] for f in factors), "rounds": (0, 1, 2, 3)}
        )
        maker.measurements[2 * place + 1] = record.model_copy(update={"sampled": sampled})
    (found,) = first_pairs(maker.suite, maker.measurements)
    offs = [math.log(1.1), math.log(0.9), math.log(1.2)]  # the median of the others is 1 in each
    assert (found.name, found.visits) == ("best", 3)
    assert found.median == pytest.approx(math.log(1.1))
    assert found.mean == pytest.approx(sum(offs) / 3)
    assert found.error == pytest.approx(1.2533 * 1.4826 * math.log(1.2 / 1.1) / math.sqrt(3))


@pytest.mark.parametrize(("first", "alike", "off"), [(1.0, True, False), (1.3, False, True), (0.8, False, True)])
def test_a_slow_start_of_either_rival_is_seen(first, alike, off):
    (found,) = first_pairs(Maker().suite, made(first, visits=200, sigma=0.02).measurements)
    assert found.is_unbiased is alike
    assert found.is_biased is off
    assert found.median == pytest.approx(math.log(first), abs=0.01)


def test_noise_alone_is_no_surety():
    assert not FirstPairs(name="best", visits=8, median=0.03, mean=0.03, error=0.02).is_biased


def test_both_batch_sizes_of_a_race_count_together_and_a_contender_against_itself_alone():
    maker = made(visits=4).self_check()
    maker.visit(PAIR, 18, 32, 1, 6, "search", "best at batch 32")
    maker.visit(("loop", *PAIR), 18, 32, 1, 6)
    maker.visit(PAIR, 18, 32, 1, 2, "search", "best at batch 32")  # too few pairs
    found = {each.name: each.visits for each in first_pairs(maker.suite, maker.measurements)}
    assert found == {"best": 5, "student against itself": 8}


def test_the_command(tmp_path, capsys):
    from harness.records.writer import Store

    for name, first, code in (("good", 1.0, 0), ("bad", 1.3, 1)):
        evidence = made(first, visits=200, sigma=0.01).evidence()
        with Store.create(tmp_path / name, evidence.run) as store:
            store.append(*evidence.measurements)
        assert main([str(tmp_path / name)]) == code
        printed = capsys.readouterr().out
        assert "A Processor" in printed
        assert f"{code} of 1 off by more than 0.01 (median) or 0.02 (mean)" in printed
    assert main([str(tmp_path / "none")]) == 2
    assert SUITE["races"][1]["name"] == "best"


@pytest.mark.parametrize(("median", "off"), [(0.041, True), (0.039, False), (-0.041, True)])
def test_off_is_more_than_one_per_cent_and_two_standard_errors(median, off):
    found = FirstPairs(name="best", visits=8, median=median, mean=median, error=0.015)
    assert found.is_biased is off
