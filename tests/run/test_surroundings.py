"""Odd surroundings of a run and of a race: no home, no name, optimised code, a folder that is gone, children that stay."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import platformdirs
import pytest
import yaml

from harness import cache, cli
from harness.records.writer import read
from harness.suite import trust
from tests import warm
from tests.command_line import called

CODE = """
import concurrent.futures, os, subprocess, sys, tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEPT = {}


def direct(n):
    return sum(range(n))


def moved(n):
    if "moved" not in KEPT:
        KEPT["moved"] = place = tempfile.mkdtemp()
        os.chdir(place)
        os.rmdir(place)
    return sum(range(n))


def pool(n):
    if "pool" not in KEPT:
        KEPT["pool"] = concurrent.futures.ProcessPoolExecutor(1)
        noted(KEPT["pool"].submit(os.getpid).result())
    return sum(range(n))


def daemon(n):
    if "daemon" not in KEPT:
        code = "import time; time.sleep(600)"
        KEPT["daemon"] = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdin=subprocess.DEVNULL)
        noted(KEPT["daemon"].pid)
    return sum(range(n))


def noted(process):
    with (HERE / "started").open("a") as file:
        file.write(f"{process}\\n")
"""
HOW = {
    "launches": 2, "rounds": 2, "latency_calls": 3, "min_sample_seconds": 0.0003, "self_check": False,
    "max_warm_up_seconds": 0.05, "limits": False,
}  # fmt: skip


@pytest.fixture
def mine(tmp_path):
    """A folder with functions, and a suite of them."""
    (tmp_path / "mine.py").write_text(CODE)
    return tmp_path


def suite(folder, *names, **more):
    text = {
        "name": "odd", "sizes": {"values": [10, 100]}, "races": [], "measurement": HOW,
        "contenders": {name: {"function": f"mine:{name}"} for name in names}, **more,
    }  # fmt: skip
    (folder / "odd.yaml").write_text(yaml.safe_dump(text))
    return "odd.yaml"


RACE = ("--range", "10:80", "--launches", "2", "--precision", "0.5", "--budget", "20")


def alive(folder):
    """The processes that functions have started and that still run."""
    started = (folder / "started").read_text().split() if (folder / "started").exists() else []
    found = []
    for each in map(int, started):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(each)
    return found


def test_a_suite_is_measured_and_nothing_stays(mine):
    names = ("direct", "moved", "pool", "daemon")
    done = called("run", suite(mine, *names), "--output", "out", cwd=mine)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {(each.contender, each.outcome) for each in read(mine / "out").measurements}
    assert found == {(name, "measured") for name in names}
    assert len((mine / "started").read_text().split()) >= 2 * HOW["launches"]
    assert alive(mine) == []


def test_a_race_is_run_and_nothing_stays(mine):
    done = called("locate", "mine:moved", "mine:pool", *RACE, cwd=mine)
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert "pool" in done.stdout
    assert (mine / "started").exists()
    assert alive(mine) == []


@pytest.mark.parametrize(("command", "number"), [("run", signal.SIGINT), ("locate", signal.SIGTERM)])
def test_a_signal_ends_a_run_whose_contender_keeps_a_daemon(mine, command, number):
    words = [suite(mine, "direct", "daemon", "pool"), "--set", "measurement.rounds=5000", "--output", "out"]
    if command == "locate":
        words = ["mine:daemon", "mine:pool", "--range", "10:100000", "--launches", "30"]
    with warm.opened(
        [sys.executable, "-m", "harness", command, *words], cwd=mine, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    ) as run:  # fmt: skip
        try:
            ends = time.monotonic() + 60
            said = next((line for line in run.stdout if "launch 0" in line or "launch 1" in line), "")
            assert said, f"it ended with {run.wait(30)} before it was sent a signal"
            while not alive(mine):
                assert time.monotonic() < ends, "no worker has started what it keeps"
                time.sleep(0.05)
            begun = time.monotonic()
            run.send_signal(number)
            code = run.wait(30)
            assert code == 130, run.stdout.read()
            assert time.monotonic() - begun < 20
        finally:
            run.kill()
    assert (mine / "started").exists()
    assert alive(mine) == []


def test_code_without_assertions_and_docstrings_measures_too(mine):
    race = [{"name": "race", "baseline": "direct", "challenger": "moved"}]
    path = suite(mine, "direct", "moved", races=race, search={"budget_samples": 20, "regret": False})
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", path, "--output", "out"], cwd=mine, capture_output=True, text=True,
        env={**os.environ, "PYTHONOPTIMIZE": "2"}, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert {each.purpose for each in read(mine / "out").measurements} >= {"search", "table"}
    assert {each.outcome for each in read(mine / "out").measurements} == {"measured"}


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can start a process of another user"
)
def test_a_user_without_home_and_name_can_measure(mine):
    nobody, able = 54321, False
    place = Path("/tmp") / f"harness-nameless-{os.getpid()}"
    try:
        shutil.copytree(mine, place)
        suite(place, "direct", "moved")
        for each in (place, *place.iterdir()):
            os.chown(each, nobody, nobody)
        environment = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LD_LIBRARY_PATH")}
        environment |= {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each), "TMPDIR": str(place)}
        trial = [sys.executable, "-c", "import harness"]
        other = {"user": nobody, "group": nobody, "extra_groups": []}
        with contextlib.suppress(PermissionError):
            reads = subprocess.run(trial, check=False, env=environment, cwd=place, capture_output=True, **other)
            able = reads.returncode == 0
        if not able:
            pytest.skip("another user cannot read this installation")
        for words in (["run", "odd.yaml", "--output", "out"], ["locate", "mine:direct", "mine:moved", *RACE]):
            done = subprocess.run(
                [sys.executable, "-m", "harness", *words], cwd=place, env=environment, capture_output=True, text=True,
                check=False, timeout=120, user=nobody, group=nobody, extra_groups=[],
            )  # fmt: skip
            assert done.returncode in (0, 3), done.stdout + done.stderr
        assert {each.outcome for each in read(place / "out").measurements} == {"measured"}
        assert not (place / "~").exists()
    finally:
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    """Neither HOME nor a name: what is below it stays unexpanded."""
    monkeypatch.delenv("HARNESS_CACHE", raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: f"~/.cache/{name}")
    monkeypatch.setattr(platformdirs, "user_config_dir", lambda name: f"~/.config/{name}")
    monkeypatch.chdir(tmp_path)


def test_without_a_home_the_cache_lies_among_temporary_files_and_is_the_users_own(homeless, monkeypatch, tmp_path):
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    assert cache.folder() == tmp_path / "temporary" / f"crossover-harness-{os.getuid()}"
    cache.private(cache.folder())
    assert cache.folder().stat().st_mode & 0o777 == 0o700


def test_without_a_home_no_list_of_the_current_folder_is_trusted(homeless, tmp_path):
    (tmp_path / "~" / ".config" / "crossover-harness").mkdir(parents=True)
    (tmp_path / "~" / ".config" / "crossover-harness" / "allowed-plugins").write_text("/\n")
    assert not trust.permitted(Path("/elsewhere/plugin.py"), tmp_path)


def test_a_folder_that_is_gone_is_a_sentence(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"cd {gone} && rmdir {gone} && {sys.executable} -m harness check x.yaml"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "error: the current folder no longer exists; change to another folder" in done.stderr


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            OSError(28, "No space left on device", "/full/x"),
            "error: /full/x: the system says: No space left on device; make room",
        ),
        (
            OSError(27, "File too large", "x"),
            "x: the system says: File too large; raise the limit on the size of files",
        ),
        (PermissionError(13, "Permission denied"), "error: the system says: Permission denied"),
        (MemoryError(), "error: memory ran out"),
    ],
)
def test_what_the_system_refuses_is_no_bug(monkeypatch, error, sentence):
    def fail(**_):
        raise error

    monkeypatch.setattr(cli, "app", fail)
    done = called("check")
    assert (done.returncode, sentence in done.stderr) == (1, True)
    assert "bug" not in done.stderr


@pytest.mark.parametrize("kind", ["a file", "a pipe", "a link to itself", "no room for a name"])
def test_an_output_that_is_no_folder_is_a_sentence(mine, kind):
    out = mine / ("x" * 300 if kind == "no room for a name" else "out")
    {
        "a file": lambda: out.write_text(""), "a pipe": lambda: os.mkfifo(out), "a link to itself": lambda: out.symlink_to("out"),
        "no room for a name": lambda: None,
    }[kind]()  # fmt: skip
    done = called("run", suite(mine, "direct", "moved"), "--output", out, cwd=mine)
    assert done.returncode in (1, 2), done.stdout + done.stderr
    assert "bug" not in done.stderr
    assert done.stderr.startswith("error: ")


def test_a_limit_on_the_size_of_files_ends_a_run_with_what_to_do(mine):
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000)); from harness.cli import main; main()"
    words = ["run", suite(mine, "direct", "moved"), "--output", "out"]
    done = warm.ran([sys.executable, "-c", code, *words], cwd=mine, timeout=120)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "raise the limit (`ulimit -f`)" in done.stderr
    assert "bug" not in done.stderr


def test_standard_streams_that_the_shell_has_closed_are_missed_by_nobody(mine):
    suite(mine, "direct")
    for words in ("run odd.yaml --output out", "report out --format json", "check nothing.yaml"):
        command = f"exec {sys.executable} -m harness {words} <&- >&- 2>&-"
        done = subprocess.run(["sh", "-c", command], cwd=mine, check=False, timeout=120)
        assert done.returncode == (2 if "nothing" in words else 0), words
    assert {each.outcome for each in read(mine / "out").measurements} == {"measured"}
