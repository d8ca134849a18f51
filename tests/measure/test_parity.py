"""A contender whose output is wrong has no latency."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import ParityError
from harness.measure.parity import prove

REFERENCE = np.arange(12, dtype=np.float64).reshape(3, 4) - 6


def test_an_equal_output_passes_with_its_error():
    assert prove((REFERENCE * (1 + 1e-6)).astype(np.float32), REFERENCE, 1e-4) == pytest.approx(1e-6, rel=0.2)


def test_a_wrong_row_is_named_with_the_figures():
    output = REFERENCE.astype(np.float32)
    output[1, 2] += 0.3
    with pytest.raises(
        ParityError, match=r"differs from the float64 reference by 0\.05 of its largest value \(row 1\)"
    ):
        prove(output, REFERENCE, 1e-4)


def test_a_value_that_is_not_finite_is_named_with_its_row():
    output = REFERENCE.astype(np.float32)
    output[2, 0] = np.inf
    with pytest.raises(ParityError, match="row 2 of the output is not finite"):
        prove(output, REFERENCE, 1e-4)


def test_another_shape_is_told():
    with pytest.raises(ParityError, match=r"the output has the shape \[3, 3\]"):
        prove(REFERENCE[:, :3].astype(np.float32), REFERENCE, 1e-4)
