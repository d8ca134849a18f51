"""An executor for the nodes of a Slurm cluster, through submitit: `harness run SUITE --on slurm`."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import harness

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FOLDER_VARIABLE = "HARNESS_SLURM"  # environment variable: a folder that the nodes and this machine share
_LOOK_SECONDS = 0.5  # between two looks, on the coordinating machine, at what has arrived
_HERE = ("local", "debug")  # submitit's own clusters: processes of this machine, and this process


class Slurm(harness.Executor):
    """Nodes of Slurm, each with a job of its own; `slurm:local` and `slurm:debug` are submitit's clusters on this machine."""

    name = "slurm"
    requires: ClassVar[Mapping[str, str]] = {"submitit": "crossover-harness[slurm]"}

    def machines(self) -> Sequence[harness.Machine]:
        """The nodes that `sinfo` lists, or this machine for submitit's own clusters."""
        if self.options.at in _HERE:
            return [harness.Machine(name=platform.node() or "local", about=f"submitit's {self.options.at} cluster")]
        partition = ["--partition", self.options.at] if self.options.at else []
        command = ["sinfo", "--noheader", "--Node", "--format", "%N %T", *partition]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        except FileNotFoundError:
            raise harness.UserError(
                "there is no Slurm here: `sinfo` is not found",
                next_step="type it where jobs can be submitted, or use --on slurm:local",
            ) from None
        except subprocess.SubprocessError as error:
            raise harness.HarnessError(f"the nodes of Slurm cannot be listed: {error}") from error
        nodes = dict(line.split(None, 1) for line in done.stdout.splitlines() if line.strip())
        return [harness.Machine(name=name, state=state.strip(), about="Slurm") for name, state in nodes.items()]

    def run(self, machine: harness.Machine, request: harness.Request) -> harness.Handle:
        """Submits a job for one node, exclusively."""
        import submitit

        here = self.options.at in _HERE
        shared = os.environ.get(FOLDER_VARIABLE) or Path.home() / ".crossover-harness-slurm"
        folder = Path(shared) / request.key
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        executor = submitit.AutoExecutor(folder=folder, cluster=self.options.at if here else "slurm")
        executor.update_parameters(timeout_min=_MINUTES, name="harness")
        if not here:
            executor.update_parameters(
                slurm_additional_parameters={"nodelist": machine.name, "exclusive": "", "requeue": False},
                **({"slurm_partition": self.options.at} if self.options.at else {}),
            )
        lines = folder / f"{uuid.uuid4().hex}.lines"
        return _Job(executor.submit(_work, request.text, str(lines)), lines, request, here=here)


_MINUTES = 24 * 60


def _work(text: str, lines: str) -> str:
    """Called in the job: what is emitted is appended to a file that both sides see."""
    with Path(lines).open("a", encoding="utf-8") as file:

        def emit(line: str) -> None:
            file.write(line + "\n")
            file.flush()

        return harness.perform_request(text, emit)


class _Job(harness.Handle):
    """A job of submitit.

    Args:
        job: of submitit.
        lines: that it appends to.
        request: of it.
        here: it runs on this machine.
    """

    def __init__(self, job: Any, lines: Path, request: harness.Request, *, here: bool) -> None:
        self._job, self._lines, self._request, self._here = job, lines, request, here
        self._read = 0

    def lines(self) -> Iterator[str]:
        """What the job has appended to its file."""
        while not self._job.done():
            yield from self._arrived()
            time.sleep(_LOOK_SECONDS)
        with contextlib.suppress(Exception):  # raised again by `result`
            self._job.wait()
        yield from self._arrived()

    def _arrived(self) -> Iterator[str]:
        with contextlib.suppress(FileNotFoundError), self._lines.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._read += len(line)
                yield line.decode()

    def result(self) -> str:
        """What the job returned."""
        try:
            return str(self._job.result())
        except Exception as error:
            what = str(error).strip().splitlines() or [type(error).__name__]
            raise harness.HarnessError(
                f"the job {self._job.job_id} was lost: {what[0]}", next_step="continue with --resume"
            ) from error

    def cancel(self) -> None:
        """Ends the suite, or the job."""
        if self._here:
            harness.cancel_request(self._request.key)
        else:
            with contextlib.suppress(Exception):
                self._job.cancel()


@harness.hookimpl
def harness_executors() -> Sequence[harness.Executor]:
    """Slurm."""
    return [Slurm()]
