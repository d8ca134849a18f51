"""The example that each contract's docstring begins with is complete, and keeps the rules."""

from __future__ import annotations

import textwrap

import pytest

import harness
from harness.testing import (
    check_embedder,
    check_executor,
    check_projector,
    check_runtime,
    check_source,
    check_trainer,
    check_workload,
)

CHECKS = {
    harness.Source: check_source,
    harness.Projector: check_projector,
    harness.Trainer: check_trainer,
    harness.Runtime: check_runtime,
    harness.Workload: check_workload,
    harness.Embedder: check_embedder,
    harness.Executor: check_executor,
}


def example(kind: type) -> str:
    """The code after the first `::`."""
    _, _, rest = kind.__doc__.partition("::\n")
    lines = rest.splitlines()
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return textwrap.dedent(
        "\n".join(line for line in lines if not line.strip() or len(line) - len(line.lstrip()) >= indent)
    )


@pytest.mark.parametrize("kind", CHECKS, ids=lambda kind: kind.__name__)
def test_the_example_keeps_the_rules(kind):
    scope: dict = {"__name__": "example"}
    exec(example(kind), scope)
    (offered,) = (each for each in scope.values() if isinstance(each, type) and issubclass(each, kind))
    CHECKS[kind](offered())


def test_the_example_of_a_compiled_is_complete():
    scope: dict = {"__name__": "example"}
    exec("import harness\n" + example(harness.Compiled), scope)
    assert scope["Direct"](lambda batch: batch * 2)(3) == 6
