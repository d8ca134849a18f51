"""`harness fleet up --hosts`: workers by SSH, through a server of this test that runs commands on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading

import pytest

from tests.command_line import called
from tests.fleet.fleet import Fleet, started

asyncssh = pytest.importorskip("asyncssh")
pytest.importorskip("distributed")


@contextlib.contextmanager
def served(folder, environment):
    """The home folder of a user whose host `b` is this machine, by SSH."""
    home = folder / "home" / ".ssh"
    home.mkdir(parents=True)
    own, theirs = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    own.write_private_key(home / "id_ed25519")
    own.write_public_key(home / "authorized")
    loop, ready, port, handled = asyncio.new_event_loop(), threading.Event(), [], []

    async def handle(process):
        child = await asyncio.create_subprocess_shell(
            f"exec {process.command}", env={**os.environ, **environment}, stdout=-1, stderr=-1, stdin=-1
        )
        await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
        with contextlib.suppress(asyncssh.Error):
            await process.wait_closed()
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        await child.wait()

    async def listen():
        server = await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[theirs], authorized_client_keys=str(home / "authorized"),
            process_factory=lambda process: handled.append(asyncio.ensure_future(run(process))),
        )  # fmt: skip
        port.append(server.get_port())
        ready.set()

    async def run(process):
        if process.command == "uname":
            process.stdout.write("Linux\n")
            process.exit(0)
        else:
            await handle(process)

    thread = threading.Thread(target=lambda: (loop.create_task(listen()), loop.run_forever()), daemon=True)
    thread.start()
    assert ready.wait(30)
    known = theirs.export_public_key().decode().strip()
    (home / "known_hosts").write_text(f"[127.0.0.1]:{port[0]} {known}\n[b]:{port[0]} {known}\n")
    (home / "config").write_text(f"Host b\n  HostName 127.0.0.1\n  Port {port[0]}\n  User someone\n")
    yield home.parent
    asyncio.run_coroutine_threadsafe(asyncio.wait(handled, timeout=20), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


def test_a_worker_on_each_host_is_started_with_our_settings(tmp_path):
    (tmp_path / "b").mkdir()
    with served(tmp_path, Fleet.environment_in(tmp_path, "b")) as home:
        variables = {"HOME": str(home), "HARNESS_REMOTE_PYTHON": f"{sys.executable} -P"}
        up, address = started(["up", "--hosts", "b", "--port", "0"], variables, r"scheduler at (tcp://\S+?);")
        try:
            status = called("fleet", "status", address)
        finally:
            up.terminate()
            up.wait()
            up.stdout.close()
    assert status.returncode == 0, status.stdout + status.stderr
    assert status.stdout.splitlines()[-1].split()[:2] == ["b", "idle"]
