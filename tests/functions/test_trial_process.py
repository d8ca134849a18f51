"""The process in which functions are tried: what it ends with is a sentence, however it ends."""

from __future__ import annotations

import sys

import pytest

from harness.errors import UserError
from harness.functions.callee import Callee
from harness.functions.kernel import Kernel
from harness.functions.trial import _error_about, run_trial
from harness.process.failure import Failure

CODE = """
import atexit, concurrent.futures, os, signal, sys, threading
POOL = None

def fine(n, batch):
    return sum(range(n))

def leaves(n, batch):
    os._exit(0)

def dies(n, batch):
    print("last words", flush=True)
    os.kill(os.getpid(), signal.SIGRTMIN + 5)

def bytes_on_its_output(n, batch):
    os.write(1, b"\\xff\\xfe\\x1b[31m\\n")
    return 1

def keeps_a_pool(n, batch):
    global POOL
    POOL = POOL or concurrent.futures.ProcessPoolExecutor(1)
    return POOL.submit(sum, (1, 2)).result()

def removes_its_folder(n, batch):
    import tempfile
    place = tempfile.mkdtemp()
    os.chdir(place)
    os.rmdir(place)
    return 1

def surrogate(n, batch):
    raise OSError("no file \\udcff")

def leaves_later(n, batch):
    if n > 8:
        os._exit(0)

def hangs(n, batch):
    threading.Event().wait()
"""


@pytest.fixture
def trying(tmp_path, monkeypatch):
    (tmp_path / "mine_to_try.py").write_text(CODE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def trying(name, **more):
        kernels = [
            Kernel(function=Callee(label=each, module="mine_to_try", attribute=each), compared=False)
            for each in ("fine", name)
        ]
        return run_trial(kernels, 4, more.pop("high", 4), 1, **more)

    return trying


@pytest.mark.parametrize("name", ["bytes_on_its_output", "keeps_a_pool", "removes_its_folder"])
def test_what_is_odd_and_works_is_tried(trying, name):
    assert [each.function.label for each in trying(name).kernels] == ["fine", name]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "leaves",
            "the process that tried the functions exited with code 0 while calling 'leaves' at n = 4: no output",
        ),
        (
            "dies",
            "the process that tried the functions was killed by SIGRTMIN+5 while calling 'dies' at n = 4: last words",
        ),
        ("surrogate", r"no file \udcff"),
    ],
)
def test_each_end_is_a_sentence(trying, name, sentence):
    if name == "dies" and sys.platform != "linux":
        pytest.skip("real-time signals are Linux's")
    with pytest.raises(UserError) as caught:
        trying(name)
    assert sentence in str(caught.value)
    str(caught.value).encode()


def test_a_process_that_ends_at_a_larger_n_leaves_what_it_has_shown_so_far(trying):
    assert [each.function.label for each in trying("leaves_later", high=64).kernels] == ["fine", "leaves_later"]


def test_the_deadline_is_for_all_of_it(trying):
    with pytest.raises(UserError, match="not ready within 3 s: it was still calling 'hangs' at n = 4"):
        trying("hangs", deadline_seconds=3)


def test_a_module_that_takes_too_long_to_import_is_named():
    failure = Failure(kind="deadline", what="no answer", stage="load")
    assert str(_error_about(failure, "importing mine:slow", 60.0)) == (
        "the functions were not ready within 60 s: it was still importing mine:slow; "
        "begin the range at an n that takes less, or import less"
    )
