from harness.testing import check_projector, check_runtime, check_source, check_trainer, check_workload

from harness_random import RandomProjection
from harness_sparse import CircleSource, CountWorkload, DoubleRuntime, SgdTrainer, SparseProjector


def test_projectors():
    check_projector(RandomProjection())
    check_projector(SparseProjector().with_options({"k": 2}))


def test_runtime():
    check_runtime(DoubleRuntime())


def test_trainer():
    check_trainer(SgdTrainer())


def test_source():
    check_source(CircleSource())


def test_workload():
    check_workload(CountWorkload())
