"""What a plugin offers: sources, projectors, trainers, runtimes and workloads, and the data that passes between them.

Shapes: B = batch, D = query width, K = projection width, N = number of heads, Q = number of queries.
All arrays that cross this border are C-contiguous float32 unless a docstring says otherwise. The classes are ABCs, so
that a method added later arrives with a default; contexts are frozen, keyword-only and only grow.
"""

from __future__ import annotations

import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from harness import complex_numbers

if TYPE_CHECKING:
    from pathlib import Path

    import torch

Form: TypeAlias = Literal["module", "numpy"]
Device: TypeAlias = str  # its kind, such as "cpu" or "cuda": a process sees one device of a kind
Float32: TypeAlias = NDArray[np.float32]
Float64: TypeAlias = NDArray[np.float64]
NumpyProjection: TypeAlias = Callable[[Float32], Float32]
Projection: TypeAlias = "torch.nn.Module | NumpyProjection"


class Options(BaseModel):
    """Base of the options of every component: frozen; unknown keys, infinity and NaN are refused, defaults are checked too."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


# ------------------------------------------------------------------------------------------------------------- data


@dataclass(frozen=True, kw_only=True)
class Heads:
    """The heads of a multi-head projection: what a query is routed over."""

    centroids: Float32  # [N, D]
    answers: Float32  # [N, K]
    temperature: float  # T in softmax(cosine / T), > 0
    matrices: Mapping[int, Float32] = field(default_factory=dict)
    """W [K, D] by head: such a head contributes W q in place of its answer. Empty where no head has a matrix."""

    def first(self, count: int) -> Heads:
        """The first `count` heads, which share memory with these."""
        matrices = {head: matrix for head, matrix in self.matrices.items() if head < count}
        return replace(self, centroids=self.centroids[:count], answers=self.answers[:count], matrices=matrices)

    @property
    def count(self) -> int:
        """N, the number of heads."""
        return int(self.centroids.shape[0])

    @property
    def width(self) -> int:
        """D, the width of a query."""
        return int(self.centroids.shape[1])

    @property
    def output_width(self) -> int:
        """K, the width of a projection."""
        return int(self.answers.shape[1])


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a data set comes from, in words that a report can print."""

    kind: Literal["real", "resampled", "synthetic"]
    description: str
    digest: str  # SHA-256 over the arrays and the options that made them
    notes: Sequence[str] = ()  # what a reader should know: which others there are, what was left out


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Heads and the queries that belong to them; the held-out queries are never trained on."""

    heads: Heads
    train_queries: Float32  # [Q1, D]
    held_out_queries: Float32  # [Q2, D]
    provenance: Provenance
    train_heads: NDArray[np.int64] | None = None  # [Q1], the head that each query belongs to; None where none is known
    held_out_heads: NDArray[np.int64] | None = None  # [Q2]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The least work of one call, with which achieved rates are compared."""

    flops: float  # floating-point operations, a multiply-add counts as two
    bytes: float  # bytes that must be read or written once
    products: Sequence[tuple[int, int, int]] = ()  # (rows, inner, columns) of the matrix products among the operations


@dataclass(frozen=True, kw_only=True)
class DeviceRates:
    """What a device reached at best."""

    products: Mapping[tuple[int, int, int], float]  # operations per second, by (rows, inner, columns) in float32
    bytes_per_second: Mapping[int, float]  # by the bytes that were moved
    launch_seconds: float  # from one queued kernel to the next, at the least
    synchronise_seconds: float  # that waiting for a kernel adds to it


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """What a trainer did."""

    losses: Mapping[str, Sequence[float]]  # per epoch, by name
    seconds: float
    steps: int
    notes: Sequence[str] = ()


# --------------------------------------------------------------------------------------------------------- contexts


@dataclass(frozen=True, kw_only=True)
class SourceContext:
    """What a source may use while it loads."""

    folder: Path  # relative paths in options are relative to this, the suite's folder
    cache: Path  # a folder that survives runs; write atomically
    seed: int = 0
    load: Callable[[str, Mapping[str, Any], int | None], Dataset] | None = None  # another source, by name


@dataclass(frozen=True, kw_only=True)
class BuildContext:
    """How a projection should be built."""

    form: Form
    seed: int = 0  # NumPy's and torch's generators are seeded with it before `build` is called
    threads: int = 1
    train_queries: Float32 | None = None  # [Q, D], for projectors that fit themselves in closed form
    weights: bool = True  # False: the state is loaded afterwards, so right shapes suffice
    teacher: Callable[[Float32], Float64] | None = None
    """The answers of the contender's teacher, [Q, D] -> [Q, K]. Nothing is computed until it is called, and its answers to
    `train_queries` are cached. None outside a run, and for contenders that imitate nothing."""


@dataclass(frozen=True, kw_only=True)
class TrainContext:
    """How training should go."""

    seed: int = 0
    threads: int = 1
    device: Device = "cpu"
    answers: Float32 | None = None  # [N, K] of the heads, for losses that look at rankings; None where there are none
    on_progress: Callable[[int, int, Mapping[str, float]], None] | None = None  # epoch (from 1), epochs, losses


@dataclass(frozen=True, kw_only=True)
class ExportContext:
    """What is known when an artifact is written."""

    heads: int
    batch_sizes: Sequence[int] = (1,)
    seed: int = 0
    calibration_queries: Float32 | None = None  # [Q, D], for runtimes that quantise
    device: Device = "cpu"  # where it will be loaded, for runtimes that compile ahead of time
    threads: int = 1  # that it will be called with there
    operations: Mapping[int, str] = field(default_factory=dict)
    """A digest of what a module's `forward` does, operation by operation, for each batch size that is raced, and for 1 and
    2. Where two differ, an export made at one size does not serve the other. Empty where unknown."""


@dataclass(frozen=True, kw_only=True)
class LoadContext:
    """What a worker gives a runtime."""

    heads: int
    threads: int = 1
    device: Device = "cpu"
    rebuild: Callable[[Form, bool], Projection] | None = None
    """(form, weights) -> the deployed projection, built again from the same heads, options and seed; without weights it
    has the right shapes only, for a runtime that exported a state. An untrained projection is rebuilt exactly."""


# ----------------------------------------------------------------------------------------------------------- offers


class Offer(ABC):
    """A component: anything that a suite can name. `options` holds the validated `Options` of the suite, or their defaults."""

    name: ClassVar[str]
    kind: ClassVar[Literal["source", "projector", "trainer", "runtime", "workload", "embedder", "executor"]]
    Options: ClassVar[type[BaseModel]] = Options
    requires: ClassVar[Mapping[str, str]] = {}  # import name -> pip requirement, for optional extras
    _options: BaseModel | None = None

    @property
    def options(self) -> Any:
        """The options of this configured component, an instance of its `Options`."""
        if self._options is None:
            self._options = type(self).Options()
        return self._options

    def with_options(self, options: Mapping[str, Any] | None) -> Self:
        """A copy of this component with other options.

        Raises:
            pydantic.ValidationError: where they do not fit `Options`.
        """
        configured = copy.copy(self)
        configured._options = type(self).Options.model_validate(dict(options or {}))  # noqa: SLF001 - own class
        return configured

    @property
    def description(self) -> str:
        """The first line of the class's docstring."""
        own = type(self).__dict__.get("__doc__") or ""
        return inspect.cleandoc(own).partition("\n")[0]


class Source(Offer):
    """Heads and queries, by number of heads.

    A complete source::

        import hashlib, harness, numpy

        class Random(harness.Source):
            "Independent normal heads."
            name = "random"

            def load(self, heads, context):
                def draw(purpose, rows):  # a generator for each array, so that fewer heads are the first of more
                    generator = numpy.random.default_rng([context.seed, purpose])
                    return generator.standard_normal((rows, 64), dtype="float32")

                count = heads or 16
                provenance = harness.Provenance(
                    kind="synthetic", description="independent normal", digest=f"random-{context.seed}-{count}")
                return harness.Dataset(
                    heads=harness.Heads(centroids=draw(1, count), answers=draw(2, count), temperature=0.1),
                    train_queries=draw(3, 256), held_out_queries=draw(4, 64), provenance=provenance)
    """

    kind = "source"

    def limit(self, context: SourceContext) -> int | None:  # noqa: ARG002 - a contract's default
        """The largest N that `load` can give, or None where there is none."""
        return None

    @abstractmethod
    def load(self, heads: int | None, context: SourceContext) -> Dataset:
        """The data set with this many heads, or with all of them if None. Nested: fewer heads are the first ones of more.

        Raises:
            DataError: where the data cannot be used, or has fewer heads.
        """


class Projector(Offer):
    """A map from queries to projections, for any number of heads.

    A complete projector::

        import torch, harness

        class RandomProjection(harness.Projector):
            "A random linear map."
            name = "random"

            def build(self, heads, context):
                return torch.nn.Linear(heads.width, heads.output_width, bias=False)
    """

    kind = "projector"
    forms: ClassVar[tuple[Form, ...]] = ("module",)
    needs_training: ClassVar[bool] = False  # True: without a trainer its output means nothing (its latency does)
    takes_matrices: ClassVar[bool] = False  # True: it computes `Heads.matrices`, too, or reads no heads at all
    family: ClassVar[str] = ""  # projectors that compute one formula share it; empty: its own name
    teaches: ClassVar[bool] = False  # True: what is scored or trained imitates it, where a suite names no teacher
    approximates: ClassVar[str] = ""  # the family whose formula it only approximates: scored, without a parity check

    @abstractmethod
    def build(self, heads: Heads, context: BuildContext) -> Projection:
        """A `torch.nn.Module` or a NumPy callable, as `context.form` asks: [B, D] -> [B, K]."""

    def reference(self, heads: Heads, queries: Float32) -> Float64 | None:  # noqa: ARG002 - a contract's default
        """The declared formula in float64, [B, D] -> [B, K], sharing no code with what is timed.

        None, the default, says that the projection itself, evaluated in float64, is the definition.
        """
        return None

    def deploy(self, trained: Projection) -> Projection:
        """What is shipped once it is trained: by default the trained projection itself. It must compute the same function."""
        return trained

    def steps(self, low: int, high: int) -> Sequence[int]:  # noqa: ARG002 - a contract's default
        """The largest N before each jump of its cost, in [low, high); empty where the cost is smooth."""
        return ()

    def variant(self, heads: int) -> int:
        """Two N of the same variant have the same untrained projection, and share an artifact; N itself by default."""
        return heads

    def cost(self, heads: int, batch: int, width: int, output_width: int) -> Cost | None:  # noqa: ARG002
        """Operations and bytes of one call, or None where it is not known."""
        return None

    def cost_of(self, heads: Heads, batch: int) -> Cost | None:
        """The cost for these particular heads; by default that of their number. Override it where matrices matter."""
        return self.cost(heads.count, batch, heads.width, heads.output_width)


class Trainer(Offer):
    """Fits a student to a teacher.

    A complete trainer::

        import time, torch, harness

        class OneStep(harness.Trainer):
            "A single gradient step."
            name = "one-step"

            def fit(self, student, teacher, queries, context):
                started = time.perf_counter()
                optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
                loss = (student(queries) - teacher(queries)).square().mean()
                loss.backward()
                optimizer.step()
                seconds = time.perf_counter() - started
                return harness.TrainingReport(losses={"loss": [loss.item()]}, seconds=seconds, steps=1)
    """

    kind = "trainer"

    @abstractmethod
    def fit(
        self,
        student: torch.nn.Module,
        teacher: Callable[[torch.Tensor], torch.Tensor],
        queries: torch.Tensor,
        context: TrainContext,
    ) -> TrainingReport:
        """Trains `student` in place until it imitates `teacher` on `queries` [Q, D].

        Raises:
            TrainingError: where the queries cannot be trained on, or the loss is no longer finite.
        """


class Compiled(ABC):
    """A projection that is ready to be called, as a worker times it.

    A complete one, for a NumPy callable::

        class Direct(harness.Compiled):
            def __init__(self, projection):
                self.projection = projection

            def __call__(self, prepared):
                return self.projection(prepared)
    """

    compile_seconds: float = 0.0  # what this process has spent compiling so far, where that is apart from loading
    batch_sizes: Sequence[int] | None = None  # the only ones that it can be called with; None: any

    @abstractmethod
    def __call__(self, prepared: Any) -> Any:
        """The only thing on the clock. It returns only when the result exists."""

    def prepare(self, batch: Float32) -> Any:
        """The argument of `__call__`, made from queries [B, D]; off the clock."""
        return batch

    def result(self, output: Any) -> Float32:
        """The output of `__call__` as float32 [B, K]; off the clock.

        Raises:
            ParityError: where it is complex.
        """
        array = np.asarray(output)
        complex_numbers.refuse(array)
        return np.ascontiguousarray(array, dtype=np.float32)

    def threads(self) -> int | None:
        """The number of threads as the library reports it, or None where it cannot be read."""
        return None

    def enqueue(self, prepared: Any) -> Any:
        """Like a call, except that it may return before the result exists; `synchronise` waits for it."""
        return self(prepared)

    def synchronise(self) -> None:
        """Returns once the results of everything enqueued exist; does nothing where calls wait themselves."""
        return

    def stage(self, batch: Float32) -> Any:
        """The argument of `enqueue_staged`, in the host's memory, made from queries [B, D]; off the clock."""
        return batch

    def enqueue_staged(self, staged: Any) -> Any:
        """A call with its transfers: from queries in the host's memory to projections there, on the clock.

        It may return before they have arrived: `synchronise` waits for that, and `result` is called after it.
        """
        return self.result(self(self.prepare(staged)))

    def evict(self) -> bool:
        """Empties the device's caches, off the clock; whether it did. The worker empties those of a CPU."""
        return False

    def settings(self) -> Mapping[str, str]:
        """Settings that affect the result and its speed, as read back from the library, for the records."""
        return {}

    def device_memory(self) -> Mapping[str, int]:
        """Bytes of the device's memory by name, such as `allocated` and `reserved`; empty where there is none."""
        return {}

    def device_seconds(self, prepared: Any) -> float | None:  # noqa: ARG002 - a contract's default
        """Seconds that one call kept its device busy, by the device's own clock; None where it has none.

        Idle time, such as waiting for the launches of single operations, does not count.
        """
        return None

    def close(self) -> None:
        """Releases its resources. May be called twice."""
        return


class Runtime(Offer):
    """A way to execute projections: `export` in the builder, `load` in the worker that is timed.

    A complete runtime::

        import harness

        class Plain(harness.Runtime):
            "Calls the NumPy form as it is."
            name = "plain"
            forms = ("numpy",)

            def export(self, projection, example, folder, context):
                pass  # nothing to keep: the worker builds it again

            def load(self, folder, context):
                return Called(context.rebuild("numpy", True))

        class Called(harness.Compiled):
            def __init__(self, projection):
                self.projection = projection

            def __call__(self, prepared):
                return self.projection(prepared)
    """

    kind = "runtime"
    forms: ClassVar[tuple[Form, ...]] = ("module",)  # that it accepts, the preferred one first
    devices: ClassVar[tuple[Device, ...]] = ("cpu",)  # kinds that it runs on
    tolerance: ClassVar[float] = 1e-4  # of parity: the largest error relative to the reference's largest value
    precision: ClassVar[str] = "float32"  # of its arithmetic; another one is marked, and has no limits
    imports: ClassVar[
        tuple[str, ...]
    ] = ()  # modules that `load` needs: the workers of a launch import them side by side

    @abstractmethod
    def export(self, projection: Projection, example: Float32, folder: Path, context: ExportContext) -> None:
        """Writes whatever `load` needs into the empty `folder`. `example` is one batch of queries [B, D]."""

    @abstractmethod
    def load(self, folder: Path, context: LoadContext) -> Compiled:
        """Makes the exported projection ready to be called, in another process than `export`."""

    def product(self, left: Float32, right: Float32, threads: int) -> Callable[[], object] | None:  # noqa: ARG002
        """A call that multiplies `left` [B, D] with the constant `right` [D, N] as its library does on a CPU.

        The machine's limits are the best of all available libraries. None, the default, adds nothing to them.
        """
        return None

    def device_rates(
        self,
        device: Device,  # noqa: ARG002 - a contract's default
        shapes: Sequence[tuple[int, int, int]],  # noqa: ARG002
        sizes: Sequence[int],  # noqa: ARG002
    ) -> DeviceRates | None:
        """The best rates of the first device of this kind, as its library runs it, in a process of its own.

        Args:
            device: a kind of `devices` other than "cpu".
            shapes: rows, inner, columns of matrix products.
            sizes: bytes to move.

        Returns:
            None, the default, adds nothing to the limits of the device.
        """
        return None

    def absent(self, device: Device, number: int) -> str:  # noqa: ARG002 - a contract's default
        """Why it cannot run on the device of this kind and number (from 0) of this machine; empty if it can.

        Asked only about kinds in `devices` other than "cpu", where nothing is timed. A suite's contender whose
        device is absent is skipped.
        """
        return ""


class Workload(Offer):
    """A computation, its inputs, and the functions that race on them.

    A complete workload::

        import numpy, scipy.signal, harness

        class Convolution(harness.Workload):
            "Two signals of n samples, convolved."
            name = "convolution"

            def prepare(self, n, batch, seed):
                generator = numpy.random.default_rng(seed)
                return generator.standard_normal(n), generator.standard_normal(n)

            def rivals(self):
                return {
                    "direct": lambda pair: numpy.convolve(*pair),
                    "fft": lambda pair: scipy.signal.fftconvolve(*pair),
                }
    """

    kind = "workload"
    fresh: ClassVar[bool] = False  # True: rivals change their input; False: that is found out before they are timed

    @abstractmethod
    def prepare(self, n: int, batch: int, seed: int) -> Any:
        """The input of one call, off the clock: the same for the same arguments, different for another seed.

        A tuple is passed as separate arguments to rivals that do not take it as one.
        """

    @abstractmethod
    def rivals(self) -> Mapping[str, Callable[..., Any]]:
        """The racing functions, input -> output, by the names that suites use; at least two."""

    def equal(self, one: Any, other: Any) -> bool:
        """Whether two outputs are the same: arrays and numbers within rounding, everything else by `==`."""
        if isinstance(one, np.ndarray | float | complex):
            return bool(np.shape(one) == np.shape(other) and np.allclose(one, other, equal_nan=True))
        return bool(one == other)

    def steps(self, rival: str, low: int, high: int) -> Sequence[int]:  # noqa: ARG002 - a contract's default
        """The largest n before each jump of a rival's cost, in [low, high); empty where none is known."""
        return ()

    def cost(self, rival: str, n: int, batch: int) -> Cost | None:  # noqa: ARG002 - a contract's default
        """Operations and bytes of one call of a rival, or None where they are not known."""
        return None
