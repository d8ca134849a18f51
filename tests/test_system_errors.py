"""What the system refuses comes with what to do."""

from __future__ import annotations

import errno

import numpy as np
import pytest

from harness.errors import ResourceError
from harness.measure import builder
from harness.measure.artifacts import Artifacts
from harness.system_errors import advice


def test_the_next_step_is_that_of_the_error():
    assert advice(OSError(errno.EFBIG, "File too large")) == "raise the limit on the size of files (`ulimit -f`)"
    assert advice(OSError(errno.ENOSPC, "No space left on device")) == "make room"
    assert advice(OSError(errno.ENOENT, "No such file")) == ""
    assert advice(OSError("9 requested and 3 written")).startswith("make room, or raise the limit")


def test_an_artifact_that_is_larger_than_a_file_may_be_says_what_to_do(tmp_path):
    def fill(folder):
        raise OSError(errno.EFBIG, "File too large")

    with pytest.raises(
        ResourceError, match=r"artifacts cannot be written: .*File too large; raise the limit on the size"
    ):
        Artifacts(tmp_path).obtain({"a": 1}, fill)


def test_an_array_that_is_cut_short_is_a_sentence_and_leaves_nothing(tmp_path, monkeypatch):
    def short(path, array):
        path.write_bytes(b"half")
        raise OSError("9 requested and 3 written")  # NumPy gives no number

    monkeypatch.setattr(builder.np, "save", short)
    with pytest.raises(ResourceError, match="it cannot be written: 9 requested and 3 written; make room, or raise"):
        builder._write(tmp_path / "one.npy", np.ones(9))
    assert list(tmp_path.iterdir()) == []
