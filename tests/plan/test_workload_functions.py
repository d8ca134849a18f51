"""Functions of plugins that are raced by the name of their workload, without a suite."""

from __future__ import annotations

import pytest

from harness.commands import race
from harness.errors import UserError
from harness.plan import workload_functions
from harness.plugin import inspection_child
from tests.plan.test_workloads import PLUGIN


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)

    def inspect_plugins(plugin_files=(), questions=()):
        asked = {"plugin_files": list(plugin_files), "questions": [each.model_dump() for each in questions]}
        return inspection_child.answer(asked, lambda *_: None)

    monkeypatch.setattr(workload_functions, "inspect_plugins", inspect_plugins)
    return tmp_path / "mine.py"


def test_a_race_of_two_functions_of_a_workload_is_planned(plugin):
    made = race.plan(["smallest:sorted", "smallest:in-place"], plugins=[plugin], low=4, high=4000)
    assert list(made.specifications) == ["sorted", "in-place"]
    own = made.specifications["in-place"]
    assert (own.workload.name, own.workload_function) == ("smallest", "in-place")
    assert own.function.fresh
    assert made.sweep.cases[0].steps == (64,)


WRONG = {
    "no workload 'smalest'; did you mean 'smallest'?": ("smalest:sorted", "smalest:in-place"),
    "no function 'sort' in the workload 'smallest'; did you mean 'sorted'?": ("smallest:in-place", "smallest:sort"),
    "plugins offer functions by name; name them as WORKLOAD:FUNCTION": ("smallest:sorted", len),
}


@pytest.mark.parametrize("sentence", WRONG)
def test_a_function_that_no_workload_has_is_told(plugin, sentence):
    with pytest.raises(UserError) as caught:
        race.plan(WRONG[sentence], plugins=[plugin], low=4, high=400)
    assert str(caught.value) == sentence


def test_a_workload_takes_no_setup(plugin):
    with pytest.raises(
        UserError, match="a workload makes and compares its own inputs and outputs; leave setup and equal out"
    ):
        race.plan(["smallest:sorted", "smallest:in-place"], plugins=[plugin], low=4, high=400, setup=range)


def test_a_module_comes_before_a_workload_of_its_name(plugin):
    assert workload_functions.offered(["json:loads", "json:dumps"], [], 1, 9) is None
    assert workload_functions.offered(["mine.py:f", "mine.py:g"], [], 1, 9) is None
    assert workload_functions.offered([len, sum], [], 1, 9) is None
