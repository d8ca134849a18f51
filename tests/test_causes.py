"""An exception in one line: why, and at which line of the user's."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys

import numpy as np
import pytest

from harness.causes import cause, traceback_lines
from harness.causes import place as place_of

BRANCHES = """
import torch


class Branches(torch.nn.Module):
    def forward(self, queries):
        if queries.abs().max() > 1:
            return queries * 2
        return queries
"""


@pytest.fixture
def branches(tmp_path):
    path = tmp_path / "branches.py"
    path.write_text(BRANCHES)
    spec = importlib.util.spec_from_file_location("branches", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Branches().eval(), f"{path}:7: if queries.abs().max() > 1:"


def raised(call):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        call()
    return caught.value


def test_the_cause_of_a_failed_onnx_export_is_told_with_the_line_of_the_module(branches, tmp_path):
    from harness_plugins.onnx_export import OnnxExporter

    module, place = branches
    error = raised(lambda: OnnxExporter(1e-4).write(module, np.ones((2, 3), np.float32), tmp_path / "model.onnx"))
    told = cause(error)
    assert "data-dependent" in told
    assert told.endswith(f"({place})")
    assert "\x1b" not in told
    assert "\n" not in told


def test_an_error_that_somebody_raised_with_a_sentence_keeps_it():
    def load():
        try:
            {}["x"]
        except KeyError as error:
            raise RuntimeError("no model \x1b[31mhere\x1b[0m\nlook there") from error

    told = cause(raised(load))
    assert told.startswith("RuntimeError: no model here (")
    assert told.rstrip(")").rpartition(":")[0].endswith("test_causes.py")


def test_the_line_is_the_users_and_not_that_of_a_library_below_it():
    told = cause(raised(lambda: json.loads("{")))
    assert "test_causes.py:" in told
    assert "decoder.py" not in told


def installed(tmp_path, monkeypatch, **packages):
    """Packages in a folder as pip makes it."""
    place = tmp_path / "site-packages"
    for name, code in packages.items():
        (place / name).mkdir(parents=True)
        (place / name / "__init__.py").write_text(code)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(place))
    return place


def test_the_line_is_an_installed_plugins_own_and_not_that_of_an_installed_library_below_it(tmp_path, monkeypatch):
    place = installed(
        tmp_path,
        monkeypatch,
        some_library_below="def parse():\n    raise ValueError('odd')\n",
        some_plugin="import some_library_below\n\n\ndef build():\n    some_library_below.parse()\n",
    )
    plugin = importlib.import_module("some_plugin")
    try:
        plugin.build()
    except ValueError as caught:
        error = caught.with_traceback(caught.__traceback__.tb_next)  # without this test, which is not the harness
    assert cause(error) == f"ValueError: odd ({place / 'some_plugin' / '__init__.py'}:5)"


def test_a_traceback_is_kept_whole_with_its_causes_and_bounded():
    def load():
        try:
            {}["x"]
        except KeyError as error:
            raise RuntimeError("no model") from error

    lines = traceback_lines(raised(load))
    assert lines[0] == "Traceback (most recent call last):"
    assert "KeyError: 'x'" in lines
    assert lines[-1] == "RuntimeError: no model"

    def many(left):
        if left:
            raise_from = raised(lambda: many(left - 1))
            raise RuntimeError(f"level {left}") from raise_from
        raise RuntimeError("bottom")

    lines = traceback_lines(raised(lambda: many(60)))
    assert len(lines) == 401
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "RuntimeError: level 60"


def test_a_mistake_in_the_syntax_has_its_own_place_and_no_line_of_the_importer(tmp_path):
    (tmp_path / "bad.py").write_text("def (")
    assert place_of(raised(lambda: compile("def (", "bad.py", "exec"))) == ""
