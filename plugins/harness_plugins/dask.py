"""An executor for machines that are workers of a Dask scheduler: `harness run SUITE --on tcp://scheduler:8786`."""

from __future__ import annotations

import contextlib
import logging
import queue
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

import harness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_CONNECT_SECONDS = 15
_LOOK_SECONDS = 1.0  # between two looks, on the coordinating machine, at whether a request has ended
_OURS = "harness"  # under which our workers register their machine


class Dask(harness.Executor):
    """Workers of dask.distributed, one a machine, started by `harness fleet worker` or `harness fleet up`."""

    name = "dask"
    schemes = ("tcp", "tls")
    requires: ClassVar[Mapping[str, str]] = {"distributed": "crossover-harness[fleet]"}
    _opened: Any = None

    def machines(self) -> Sequence[harness.Machine]:
        """The scheduler's workers."""
        client = self._client()
        try:
            known = client.run_on_scheduler(_survey)
        except Exception as error:
            raise harness.UserError(
                f"the scheduler does not know the harness: {error}", where=self.options.at, next_step=_START
            ) from error
        if known["allowed_failures"]:
            raise harness.UserError(
                f"the scheduler retries what has killed a worker, {known['allowed_failures']} times",
                where=self.options.at, next_step=_START,
            )  # fmt: skip
        return [_machine(each) for each in known["workers"]]

    def run(self, machine: harness.Machine, request: harness.Request) -> harness.Handle:
        """Submits a task that only this worker may do."""
        return _Sent(self._client(), machine.about, request)

    def close(self) -> None:
        """Leaves the scheduler."""
        if self._opened is not None:
            with contextlib.suppress(Exception):
                self._opened.close(timeout=5)
            self._opened = None

    def serve(self, options: Mapping[str, str], say: Callable[[str], None]) -> None:
        """Keeps a scheduler, and workers by SSH."""
        from harness_plugins import dask_machines

        dask_machines.serve([each for each in options["hosts"].split(",") if each], int(options["port"]), say)

    def work(self, options: Mapping[str, str], say: Callable[[str], None]) -> None:
        """Keeps a worker."""
        from harness_plugins import dask_machines

        dask_machines.work(self.options.at, options["name"], say)

    def _client(self) -> Any:
        if self._opened is None:
            import dask.config
            import distributed

            dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"})  # students travel in tasks
            logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what is lost is said here
            try:
                self._opened = distributed.Client(
                    self.options.at, timeout=_CONNECT_SECONDS, set_as_default=False, name="harness"
                )
            except (OSError, ValueError) as error:
                raise harness.UserError(
                    f"there is no scheduler: {error}", where=self.options.at,
                    next_step="start one with `harness fleet up`, or correct the address",
                ) from error  # fmt: skip
        return self._opened


_START = "start it with `harness fleet up`"


def _machine(known: Mapping[str, Any]) -> harness.Machine:
    ours = known["extra"].get(_OURS)
    wrong = (
        "" if ours else "it was not started by `harness fleet worker`: Dask's monitors would run beside what is timed"
    )
    return harness.Machine(
        name=str(known["name"]), claim=str(ours or ""), about=str(known["address"]), wrong=wrong,
        state="busy" if known["processing"] else "idle",
    )  # fmt: skip


def _survey(dask_scheduler: Any) -> dict[str, Any]:
    """Called on the scheduler: what it would repeat, and its workers."""
    workers = [
        {"name": each.name, "address": each.address, "extra": dict(each.extra), "processing": len(each.processing)}
        for each in dask_scheduler.workers.values()
    ]
    return {"allowed_failures": dask_scheduler.allowed_failures, "workers": workers}


def _work(text: str, topic: str) -> str:
    """Called on a worker, as a task: what is emitted goes to the coordinator's topic."""
    import distributed

    worker = distributed.get_worker()
    return harness.perform_request(text, lambda line: worker.log_event(topic, line))


class _Sent(harness.Handle):
    """A task on one worker, which is tried once and nowhere else."""

    def __init__(self, client: Any, address: str, request: harness.Request) -> None:
        self._client, self._address, self._key = client, address, request.key
        self._lost, self._asked_to_end = "", False
        self._texts = texts = queue.SimpleQueue[str]()  # the client keeps its handlers, and with them what they name
        topic = f"harness-{uuid.uuid4().hex}"
        try:
            client.subscribe_topic(topic, lambda event: texts.put(str(event[1])))
            client.subscribe_topic(address, self._of_worker)
            client.run(
                harness.cancel_request, self._key, workers=[address]
            )  # what a coordinator that is gone has left running
            self._future = client.submit(
                _work, request.text, topic, key=topic, workers=[address], allow_other_workers=False, retries=0, pure=False,
                resources={"machine": 1},
            )  # fmt: skip
        except Exception as error:
            raise harness.HarnessError(f"the request cannot be sent: {error}", next_step=_AGAIN) from error

    def _of_worker(self, event: tuple[float, Any]) -> None:
        """Hears that the worker has left: a task that only it may do would wait for ever."""
        if isinstance(event[1], dict) and event[1].get("action") == "remove-worker":
            self._lost = "its worker has left"

    def lines(self) -> Iterator[str]:
        """What the worker has sent."""
        while not (self._future.done() or self._lost):
            with contextlib.suppress(queue.Empty):
                yield self._texts.get(timeout=_LOOK_SECONDS)
        while not self._texts.empty():
            yield self._texts.get()

    def result(self) -> str:
        """What the task returned."""
        while not (self._future.done() or self._lost):
            with contextlib.suppress(Exception):  # raised again below
                self._future.result(_LOOK_SECONDS)
        if not self._future.done():
            raise harness.HarnessError(self._lost, next_step=_AGAIN)
        try:
            return str(self._future.result())
        except Exception as error:
            kind = type(error).__name__
            gone = "the connection to the scheduler was lost" if "Cancelled" in kind else str(error)
            what = self._lost or ("its worker was killed" if kind == "KilledWorker" else gone)
            raise harness.HarnessError(what, next_step=_AGAIN) from error
        finally:
            self._future.release()  # scheduler and worker keep what was asked and answered no longer: it may be large

    def cancel(self) -> None:
        """Ends the suite on its machine; called again, waits for it no longer."""
        again, self._asked_to_end = self._asked_to_end, True
        with contextlib.suppress(Exception):
            if again:
                self._future.cancel()
            self._client.run(harness.cancel_request, self._key, workers=[self._address], wait=False)


_AGAIN = "what the machine has recorded is kept there: start a worker on it, and continue with --resume"


@harness.hookimpl
def harness_executors() -> Sequence[harness.Executor]:
    """Dask."""
    return [Dask()]
