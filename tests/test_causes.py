"""An exception in one line: why, and at which line of the user's."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest

from harness.causes import cause

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
