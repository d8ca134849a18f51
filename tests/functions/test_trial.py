"""What is found out of functions before they are timed; functions of this file travel with their code."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import threading
import time

import numpy as np
import pytest

from harness.errors import UserError
from harness.functions.callee import as_callee
from harness.functions.kernel import Kernel
from harness.functions.trial_child import Trial


def try_(*functions, setup=None, equal=None, compared=True, low=4, high=64, sizes=()):
    ship = {name: as_callee(each) if each else None for name, each in (("setup", setup), ("equal", equal))}
    kernels = [Kernel(function=as_callee(each), compared=compared, **ship).to_json() for each in functions]
    asked = {"kernels": kernels, "low": low, "high": high, "batch": 1, "seed": 0, "seconds": 5.0}
    asked["sizes"] = list(sizes)
    return Trial(asked, lambda _: None).run()


def burn():
    """Work that takes milliseconds."""
    return sum(range(300_000))


def made():
    """Functions defined here have no name that another process could import."""

    def numbers(n, seed):
        return np.random.default_rng(seed).random(n).tolist()

    def pure(xs):
        return sorted(xs)

    def in_place(xs):
        xs.sort()
        return xs

    return numbers, pure, in_place


def test_a_function_that_changes_its_input_gets_a_copy_for_every_call_and_the_answer_says_so():
    numbers, pure, in_place = made()
    found = try_(pure, in_place, setup=numbers)
    assert [each.fresh for each in found.kernels] == [False, True]
    assert any(
        "changes its input: every call got a copy of its own, made off the clock" in each for each in found.notes
    )


def test_outputs_that_differ_are_refused_with_both_of_them():
    numbers, pure, _ = made()
    with pytest.raises(UserError, match=r"do not return the same at n = 4") as told:
        try_(pure, lambda xs: sorted(xs)[:3], setup=numbers)
    assert "--no-equal" in told.value.next_step


def test_outputs_that_differ_only_at_large_n_are_found_there():
    numbers, pure, _ = made()
    with pytest.raises(UserError, match="do not return the same at n = 64"):
        try_(pure, lambda xs: sorted(xs)[:50], setup=numbers)


def test_without_a_comparison_the_answer_says_so():
    numbers, pure, _ = made()
    found = try_(pure, lambda xs: xs[:3], setup=numbers, compared=False)
    assert any("outputs were not compared, as asked" in each for each in found.notes)


def test_equality_is_the_users_own_where_there_is_one():
    numbers, pure, _ = made()
    assert try_(pure, lambda xs: sorted(xs)[::-1], setup=numbers, equal=lambda a, b: sorted(a) == sorted(b)).kernels


def test_values_that_differ_are_noted_where_there_is_no_setup_and_no_equality():
    (note,) = try_(lambda n: n, lambda n: n + 1).notes
    assert "return different values at n = 4: 4 and 5; an equality would refuse that" in note
    assert not try_(lambda n: n, lambda n: n + 1, compared=False).notes
    assert not try_(lambda n: n, float).notes
    assert not try_(lambda n: object(), lambda n: np.random.default_rng().random(n)).notes


def test_functions_that_return_nothing_are_compared_by_what_they_made_of_their_input():
    numbers, pure, _ = made()
    with pytest.raises(UserError, match="do not make the same of their input at n = 4"):
        try_(lambda xs: xs.sort(), lambda xs: xs.reverse(), setup=numbers)
    found = try_(pure, lambda xs: xs.sort(), setup=numbers, low=1)
    assert [each.fresh for each in found.kernels] == [False, True]
    with pytest.raises(UserError, match="do not return the same at n = 4"):
        try_(pure, lambda xs: xs.reverse(), setup=numbers)
    assert try_(lambda xs: xs.clear(), lambda xs: sum(xs) and None, setup=numbers).kernels


def test_outputs_that_are_equal_to_nothing_are_named_as_such():
    class Tree:
        pass

    with pytest.raises(UserError, match=r"returns .*Tree, of which two are never equal") as told:
        try_(lambda xs: Tree(), lambda xs: Tree(), setup=made()[0])
    assert "define what counts as equal" in told.value.next_step


def test_an_input_that_one_call_uses_up_is_refused_and_one_that_cannot_be_copied_is_drawn_again():
    with pytest.raises(UserError, match="the setup returns a generator, which one call uses up") as told:
        try_(sum, sum, setup=lambda n: (each for each in range(n)))
    assert told.value.next_step == "return a list, an array or other data"
    found = try_(lambda lock, n: n, lambda lock, n: int(n), setup=lambda n: (threading.Lock(), n))
    assert [each.takes for each in found.kernels] == ["inputs"] * 2


def untried(low, high, sizes=()):
    kernels = [Kernel(function=as_callee(sum)).to_json()]
    asked = {"kernels": kernels, "low": low, "high": high, "batch": 1, "seed": 0, "seconds": 6.0, "sizes": list(sizes)}
    return Trial(asked, lambda _: None)


def test_an_n_at_which_a_call_would_take_too_long_by_its_growth_is_not_tried():
    one = untried(10, 10**5)
    one._took = {10: 1e-6, 1_000: 0.01}  # squares
    assert one._expected_seconds(100_000) == pytest.approx(100)
    one._took = {10: 1e-3, 1_000: 1e-3}  # no less than in proportion
    assert one._expected_seconds(100_000) == pytest.approx(0.1)


def test_of_a_wide_gap_only_the_beginning_is_tried():
    one, seen = untried(10, 10**6, [10, 10**6]), []
    one._try_size = seen.append
    assert one._works_between()
    assert seen == [11, 80]


UNFINISHED = {
    "a generator": lambda xs: (x for x in xs),
    r"an iterator \(map\)": lambda xs: map(str, xs),
    r"an iterator \(zip\)": lambda xs: zip(xs, xs, strict=True),
}


@pytest.mark.parametrize("what", UNFINISHED)
def test_what_has_not_done_its_work_yet_is_refused(what):
    numbers, pure, _ = made()
    with pytest.raises(UserError, match=f"returns {what}, whose work has not been done") as told:
        try_(pure, UNFINISHED[what], setup=numbers)
    assert "return its result, such as list" in told.value.next_step


def test_a_coroutine_is_refused():
    async def later(xs):
        return xs

    numbers, pure, _ = made()
    with pytest.raises(UserError, match="returns a coroutine"):
        try_(pure, later, setup=numbers)


def test_a_function_that_remembers_its_answers_never_sees_an_input_twice():
    def waited(xs):
        burn()
        return sum(xs)

    remembering = functools.lru_cache(waited)
    found = try_(waited, remembering, setup=lambda n, seed: tuple(np.random.default_rng(seed).random(n).tolist()))
    assert [each.redrawn for each in found.kernels] == [False, True]
    assert any("every call got an input that it had not seen" in each for each in found.notes)


def test_without_a_setup_remembering_is_reported():
    @functools.cache
    def remembering(n):
        burn()
        return n

    found = try_(lambda n: n, remembering)
    assert any("remembers its answers" in each for each in found.notes)


def test_state_that_grows_is_reported(monkeypatch):
    """By a clock that moves on only where it is looked at, whatever else the machine computes."""
    seen, looks = [], itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: 1e-5 * next(looks))

    def growing(n):
        seen.append(n)
        return not [time.perf_counter() for _ in seen]

    found = try_(growing, lambda n: False)
    (note,) = [each for each in found.notes if "takes longer the more often it was called" in each]
    assert "growing" in note


def test_a_function_without_state_is_not_reported_to_grow():
    assert not [
        each for each in try_(lambda n: sum(range(n)), lambda n: n * (n - 1) // 2).notes if "more often" in each
    ]


def test_a_setup_that_ignores_its_seed_is_refused():
    with pytest.raises(UserError, match="gives different inputs for the same seed at n = 4") as told:
        try_(sum, sum, setup=lambda n: np.random.default_rng().random(n).tolist())
    assert "numpy.random.default_rng(seed)" in told.value.next_step


def test_a_setup_that_draws_from_the_global_generators_gets_them_seeded():
    assert try_(sum, sum, setup=lambda n: np.random.rand(n).tolist()).kernels  # noqa: NPY002 - as scripts do


def test_what_functions_take_is_found_out():
    found = try_(lambda n: None, lambda n, batch: None)
    assert [each.takes for each in found.kernels] == ["n", "n and batch"]
    found = try_(lambda a, b: a + b, lambda pair: pair[0] + pair[1], setup=lambda n: (n, n))
    assert [each.takes for each in found.kernels] == ["inputs", "input"]


def test_a_tuple_that_none_of_them_takes_is_told():
    with pytest.raises(UserError, match="does not take what the setup returns"):
        try_(lambda a, b, c: a, lambda pair: 1, setup=lambda n: (n, n))


def test_a_kernel_is_the_same_after_the_pipe():
    kernel = dataclasses.replace(Kernel(function=as_callee(sum), setup=as_callee(max)), fresh=True, takes="input")
    assert Kernel.from_json(kernel.to_json()) == kernel


def test_a_function_that_takes_a_tuple_either_way_takes_it_as_its_rivals_do():
    found = try_(lambda a, b: a + b, lambda a, b=0: a + b, lambda *both: sum(both), setup=lambda n: (n, n))
    assert [each.takes for each in found.kernels] == ["inputs"] * 3
    found = try_(sum, lambda pair, start=0: sum(pair, start), setup=lambda n: (n, n))
    assert [each.takes for each in found.kernels] == ["input"] * 2


def test_a_builtin_whose_signature_is_not_known_is_called_to_find_out():
    found = try_(np.concatenate, np.hstack, setup=lambda n: (np.zeros(n), np.ones(n)))
    assert [each.takes for each in found.kernels] == ["input"] * 2
    found = try_(max, lambda a, b: b, setup=lambda n: (n, n + 1))
    assert [each.takes for each in found.kernels] == ["inputs"] * 2


def halved(xs):
    """Of lists whose length is a power of two."""
    if len(xs) > 1 and len(xs) % 2:
        raise ValueError("not a power of two")
    return xs[0] if len(xs) == 1 else halved(xs[::2])


def test_of_functions_that_work_at_the_listed_n_only_no_others_are_asked_for():
    sizes = [2**k for k in range(7)]
    found = try_(halved, lambda xs: xs[0], setup=lambda n: list(range(n)), low=1, high=64, sizes=sizes)
    assert not found.between
    assert any(
        each.startswith("no n was timed that is not in the list, since") and "fails at n = 3: ValueError" in each
        for each in found.notes
    )
    everywhere = try_(sum, sum, setup=lambda n: list(range(n)), low=1, high=64, sizes=sizes)
    assert everywhere.between
    assert not everywhere.notes


def test_what_a_function_raises_is_told_without_a_line_of_the_harness():
    """What travels with its code, and a builtin, have no line of their own here."""

    def odd(xs):
        raise ValueError("odd")

    for function in (odd, sum):
        with pytest.raises(UserError, match=r"fails at n = 4: (ValueError: odd|TypeError: .* 'str'); "):
            try_(function, len, setup=lambda n: ["a"] * n)
