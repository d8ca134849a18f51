"""Checks that a plugin's author calls from pytest: does an offer keep the rules that every contender is held to?

A complete test::

    from harness.testing import check_projector
    from my_plugin import RandomProjection

    def test_the_projector_keeps_the_rules():
        check_projector(RandomProjection())

Each check tries all rules and raises one `ConformanceError`, an AssertionError, with a sentence for each broken one.
"""

from harness.testing.embedder import check_embedder
from harness.testing.executor import check_executor
from harness.testing.projector import check_projector
from harness.testing.rules import ConformanceError, sample_heads, sample_queries
from harness.testing.runtime import check_runtime
from harness.testing.source import check_source
from harness.testing.trainer import check_trainer
from harness.testing.workload import check_workload

__all__ = [
    "ConformanceError",
    "check_embedder",
    "check_executor",
    "check_projector",
    "check_runtime",
    "check_source",
    "check_trainer",
    "check_workload",
    "sample_heads",
    "sample_queries",
]
