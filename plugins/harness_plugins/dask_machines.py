"""A Dask worker that leaves its machine in peace, and the scheduler for such workers. Imports distributed."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import shlex
import signal
import sys
from typing import TYPE_CHECKING, Any

import dask.config
import distributed
from distributed.deploy import ssh

import harness

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HEARTBEAT_SECONDS = 30
_NEEDED = ("heartbeat", "keep-alive")  # of what Dask does in regular intervals
QUIET = {
    "distributed.scheduler.allowed-failures": 0,  # what has killed a worker is not tried again
    "distributed.scheduler.worker-ttl": None,  # a worker whose interpreter is busy is not thrown out
    "distributed.scheduler.work-stealing": False,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.admin.low-level-log-length": 64,  # lines that pass through are not kept
    "distributed.admin.system-monitor.interval": "1h",
    "distributed.admin.system-monitor.disk": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.tick.interval": "1h",
    "distributed.admin.tick.limit": "24h",
    "distributed.diagnostics.nvml": False,
}


class MachineWorker(distributed.Worker):
    """One worker for one machine: one thread, no nanny, no profiler, no monitors, a heartbeat twice a minute.

    Raises:
        harness.UserError: where this machine has a worker already.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        dask.config.set(QUIET)
        claim = harness.claim_machine()
        settings = {
            "nthreads": 1, "resources": {"machine": 1}, "memory_limit": 0, "dashboard": False,
            "heartbeat_interval": f"{_HEARTBEAT_SECONDS}s", "name": options.get("name") or platform.node(),
            "startup_information": {"harness": lambda _: claim.text},
        }  # fmt: skip
        super().__init__(*arguments, **{**options, **settings})
        self.claim = claim

    def start_periodic_callbacks(self) -> None:
        """Starts what a scheduler has to hear, and nothing else."""
        super().start_periodic_callbacks()  # type: ignore[no-untyped-call, unused-ignore]
        for name, callback in self.periodic_callbacks.items():
            if name not in _NEEDED:
                callback.stop()

    async def heartbeat(self) -> None:
        """Says that the worker is there; the scheduler would like to hear it twice a second."""
        await super().heartbeat()
        self.periodic_callbacks["heartbeat"].callback_time = _HEARTBEAT_SECONDS * 1000

    async def close(self, *arguments: Any, **options: Any) -> Any:
        """Does not wait for a suite that is being run: it ends with this process."""
        return await super().close(*arguments, **{"timeout": 5, **options, "executor_wait": False})


def work(address: str, name: str, say: Callable[[str], None]) -> None:
    """Lends this machine to a scheduler until it is ended, or the scheduler is."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is a sentence

    async def lend() -> None:
        worker = MachineWorker(address, name=name or None)
        say(f"{worker.name}: looking for the scheduler at {address}; Ctrl-C ends it")
        advice = "see that the address is right, and that no other machine has this name (--name)"
        async with await _started(worker, f"{worker.name} cannot be lent to {address}", advice):
            _on_signals(worker.close)  # until then Ctrl-C ends the waiting for a scheduler
            say(f"{worker.name} is lent to {address}; Ctrl-C ends it")
            await worker.finished()  # type: ignore[no-untyped-call, unused-ignore]

    asyncio.run(lend())
    sys.stdout.flush()
    os._exit(0)  # a suite's run ends with this process, and its thread would keep the process


def serve(hosts: Sequence[str], port: int, say: Callable[[str], None]) -> None:
    """A scheduler on this machine, and a worker on each host by SSH, until they are ended."""
    dask.config.set(QUIET)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)

    async def keep() -> None:
        made = distributed.Scheduler(port=port, dashboard=False, dashboard_address=":0")
        advice = "end what uses the port, or name another one with --port"
        async with await _started(made, f"there can be no scheduler at port {port}", advice) as scheduler:
            _on_signals(scheduler.close)
            workers = [_by_ssh(scheduler.address, each) for each in hosts]
            try:
                for host, worker in zip(hosts, workers, strict=True):
                    say(f"starting a worker on {host}")
                    try:
                        await worker.start()
                    except Exception as error:
                        raise harness.HarnessError(
                            f"no worker can be started by SSH: {error}", where=host,
                            next_step=f"see that `ssh {host}` works without a password, and that `{shlex.join(_remote())}` there "
                            "has the harness; HARNESS_REMOTE_PYTHON names another Python",
                        ) from error  # fmt: skip
                say(f"scheduler at {scheduler.address}; `harness run SUITE --on {scheduler.address}`; Ctrl-C ends it")
                await scheduler.finished()
            finally:
                await asyncio.gather(*(each.close() for each in workers), return_exceptions=True)

    asyncio.run(keep())


async def _started(server: Any, otherwise: str, advice: str) -> Any:
    """A scheduler or a worker, once it is there.

    Raises:
        harness.UserError: `otherwise`, and why.
    """
    try:
        return await server
    except Exception as error:
        why = str(error.__cause__ or error)
        why = "there is a machine of this name" if "name taken" in why else why  # the rest is Dask's sentence
        raise harness.UserError(f"{otherwise}: {why}", next_step=advice) from error


def _by_ssh(address: str, host: str) -> Any:
    """A worker that Dask's SSHCluster would start, of our own class."""
    return ssh.Worker(
        scheduler=address, address=host, connect_options={}, name=host,
        worker_class="harness_plugins.dask_machines.MachineWorker", kwargs={"name": host},
        remote_python=shlex.join(_remote()),
    )  # fmt: skip


def _remote() -> list[str]:
    """Python over there; the environment variable HARNESS_REMOTE_PYTHON names another than `python3`."""
    return shlex.split(os.environ.get("HARNESS_REMOTE_PYTHON", "")) or ["python3"]


def _on_signals(close: Callable[[], Any]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: loop.create_task(close()))
