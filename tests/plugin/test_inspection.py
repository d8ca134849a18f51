from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.plugin import inspection_cache
from harness.plugin.built_in import BUILT_IN
from harness.plugin.inspection import Question, SourceQuestion, inspect_plugins

GOOD = """
from typing import Literal
import harness

class GoodOptions(harness.Options):
    size: int = 3

class Good(harness.Projector):
    "A good projector."
    name = "good"
    forms = ("numpy",)
    Options = GoodOptions
    requires = {"no_such_library": "no-such-library>=2"}

    def build(self, heads, context):
        return lambda batch: batch

    def steps(self, low, high):
        return [self.options.size, 64, 10**9]

class Small(harness.Source):
    name = "small"

    def limit(self, context):
        if not (context.folder / "heads.txt").exists():
            raise harness.DataError("there is no heads.txt", next_step="make one")
        return int((context.folder / "heads.txt").read_text())

    def load(self, heads, context): ...

@harness.hookimpl
def harness_projectors():
    return [Good()]

@harness.hookimpl
def harness_sources():
    return [Small()]
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "inquiries"


@pytest.fixture
def ask(tmp_path, cache):
    """Asks a real child that loads no built-in plugin, so that it starts fast."""

    def ask(code: dict[str, str], questions=(), **arguments):
        files = []
        for name, text in code.items():
            (tmp_path / name).write_text(text)
            files.append(tmp_path / name)
        return inspect_plugins(files, questions, without=BUILT_IN, **arguments)

    return ask


def test_offers_come_back_as_data(ask, tmp_path):
    listing = ask({"good.py": GOOD})
    offer = listing.find("projector", "good")
    assert (offer.description, offer.forms, offer.plugin) == (
        "A good projector.",
        ("numpy",),
        f"file:{tmp_path / 'good.py'}",
    )
    assert offer.option_rows == (("size", "integer", "3", ""),)
    assert (offer.missing, offer.install) == (("no_such_library",), "pip install 'no-such-library>=2'")
    assert listing.names("source") == ["small"]
    assert listing.failures == ()


def test_questions_are_answered(ask, tmp_path):
    (tmp_path / "heads.txt").write_text("72")
    place = SourceQuestion(folder=str(tmp_path), cache=str(tmp_path))
    questions = [
        Question(key="steps", kind="projector", name="good", options={"size": 20}, steps=(18, 1000)),
        Question(key="wrong", kind="projector", name="good", options={"sise": 20}),
        Question(key="limit", kind="source", name="small", limit=place),
        Question(
            key="lost", kind="source", name="small", limit=place.model_copy(update={"folder": str(tmp_path / "no")})
        ),
        Question(key="nobody", kind="runtime", name="good"),
    ]
    listing = ask({"good.py": GOOD}, questions)
    assert listing.reply("steps").steps == (20, 64)
    assert listing.reply("steps").declares_steps
    (problem,) = listing.reply("wrong").problems
    assert (problem.path, problem.what, problem.hint) == (("sise",), "unknown key", "did you mean `size`?")
    assert listing.reply("limit").limit == 72
    assert listing.reply("lost").error == "there is no heads.txt; make one"
    assert not listing.reply("nobody").known


def test_a_plugin_that_hangs_is_found_left_out_and_reported(ask, tmp_path):
    code = (
        "import subprocess, sys, threading, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import threading; threading.Event().wait()'])\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid))\n"
        "threading.Event().wait()"
    )
    listing = ask({"hung.py": code, "good.py": GOOD}, deadline_seconds=2)
    assert listing.names("projector") == ["good"]
    assert [str(failure) for failure in listing.failures] == [
        f"{tmp_path / 'hung.py'}: it did not end within 2 s while it was imported"
    ]
    state = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")  # what it had started has ended with it
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"
    assert listing.excluded == (f"file:{tmp_path / 'hung.py'}",)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "it was killed by SIGSEGV while it was imported"),
        ("import os; print('last words'); os._exit(7)", "it exited with code 7 while it was imported"),
        (
            GOOD.replace("return [Good()]", "__import__('os')._exit(9)"),
            "it exited with code 9 while it was asked for its offers",
        ),
    ],
)  # fmt: skip
def test_a_plugin_that_crashes_is_found_left_out_and_reported(ask, tmp_path, code, sentence):
    listing = ask({"crash.py": code, "good.py": GOOD})
    assert listing.names("projector") == ["good"]
    assert [str(failure) for failure in listing.failures] == [f"{tmp_path / 'crash.py'}: {sentence}"]


def test_a_plugin_that_crashes_when_it_is_asked_is_left_out(ask, tmp_path):
    code = GOOD.replace("return [self.options.size", "__import__('os')._exit(5); return [self.options.size")
    listing = ask({"bad.py": code}, [Question(key="q", kind="projector", name="good", steps=(1, 9))])
    assert [str(failure) for failure in listing.failures] == [
        f"{tmp_path / 'bad.py'}: it exited with code 5 while it was asked about its projector 'good'"
    ]
    assert not listing.reply("q").known


def test_what_a_plugin_prints_and_reads_does_not_disturb_the_answer(ask):
    noise = 'import os, sys\nprint("{" * 1_000_000)\nos.write(1, b"garbage\\n")\nprint(sys.stdin.read())\n'
    assert ask({"good.py": noise + GOOD}).names("projector") == ["good"]


def test_the_end_of_what_was_printed_is_kept(ask):
    (failure,) = ask({"bad.py": "import os\nprint('x' * 10**6)\nprint('last words', flush=True)\nos._exit(1)"}).failures
    assert failure.output[-1] == "last words"


# -------------------------------------------------------------------------------------------------------------- cache


def test_an_answer_is_kept_until_the_plugin_changes(ask, cache, monkeypatch):
    ask({"good.py": GOOD})
    assert len(list(cache.iterdir())) == 1
    monkeypatch.setattr(subprocess, "Popen", None)  # the second answer starts no process
    assert ask({"good.py": GOOD}).names("projector") == ["good"]
    monkeypatch.undo()
    assert ask({"good.py": GOOD.replace('"good"', '"better"')}).names("projector") == ["better"]


def test_the_limit_of_a_source_is_asked_again_when_its_file_changes(ask, tmp_path):
    data = tmp_path / "heads.txt"
    data.write_text("72")
    code = GOOD.replace(
        'name = "small"', 'name = "small"\n    class Options(harness.Options):\n        path: str = ""\n'
    )
    question = Question(
        key="q",
        kind="source",
        name="small",
        options={"path": "heads.txt"},
        limit=SourceQuestion(folder=str(tmp_path), cache=""),
    )
    assert ask({"good.py": code}, [question]).reply("q").limit == 72
    data.write_text("7200")
    assert ask({"good.py": code}, [question]).reply("q").limit == 7200


def test_the_deadline_can_be_set_from_outside(ask, monkeypatch):
    monkeypatch.setenv("HARNESS_PLUGIN_SECONDS", "soon")
    with pytest.raises(UserError, match="HARNESS_PLUGIN_SECONDS is 'soon'; give it a number of seconds"):
        ask({"good.py": GOOD})


def test_an_answer_with_failures_is_not_kept(ask, cache):
    ask({"bad.py": "raise OSError('for now')"})
    assert not cache.exists()


def test_a_damaged_cache_is_no_error(ask, cache):
    ask({"good.py": GOOD})
    (kept,) = cache.iterdir()
    kept.write_text("{")
    assert ask({"good.py": GOOD}).names("projector") == ["good"]


def test_a_cache_that_cannot_be_written_is_no_error(ask, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file"))
    assert ask({"good.py": GOOD}).names("projector") == ["good"]


# ----------------------------------------------------------------------------------------------------- the asking side


def test_the_process_that_asks_imports_no_plugin_and_no_torch(tmp_path):
    code = (
        "import sys\nfrom harness.plugin.inspection import inspect_plugins\nlisting = inspect_plugins()\n"
        "assert listing.find('runtime', 'onnxruntime') and not listing.failures, listing.failures\n"
        "heavy = {'torch', 'onnxruntime', 'scipy', 'harness_plugins'}\n"
        "print([name for name in sys.modules if name.partition('.')[0] in heavy])"
    )
    environment = {**os.environ, "HARNESS_CACHE": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert told.stdout.strip() == "[]", told.stderr


def test_a_file_in_the_current_folder_shadows_nothing(ask, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise RuntimeError('the wrong one')")
    monkeypatch.chdir(tmp_path)
    assert ask({"good.py": GOOD}).failures == ()


def test_a_file_that_a_source_within_a_source_names_counts_for_the_answer(tmp_path):
    (tmp_path / "lda.npz").write_text("one")
    options = {"of": "database", "options": {"path": "lda.npz", "others": ["x" * 5000, 3]}}
    question = {"options": options, "limit": {"folder": str(tmp_path)}}
    before = inspection_cache.key([], {"questions": [question]})
    assert inspection_cache.key([], {"questions": [question]}) == before
    (tmp_path / "lda.npz").write_text("another")
    assert inspection_cache.key([], {"questions": [question]}) != before


def test_the_output_of_one_plugin_is_not_blamed_on_another(ask):
    code = {"a.py": "print('of a, without an end', end='')\n" + GOOD, "b.py": "import os\nos._exit(3)\n"}
    (failure,) = ask(code).failures
    assert failure.label.endswith("b.py")
    assert failure.output == ()


@pytest.mark.parametrize("seconds", ["inf", "nan"])
def test_a_deadline_that_is_not_finite_is_refused(ask, monkeypatch, seconds):
    monkeypatch.setenv("HARNESS_PLUGIN_SECONDS", seconds)
    with pytest.raises(UserError, match=f"HARNESS_PLUGIN_SECONDS is '{seconds}'; give it a number of seconds"):
        ask({"good.py": GOOD})


def test_an_option_that_is_not_finite_is_refused(ask):
    text = GOOD.replace("size: int = 3", "size: int = 3\n    share: float = 0.5")
    question = Question(key="q", kind="projector", name="good", options={"share": "inf"})
    (problem,) = ask({"good.py": text}, [question]).reply("q").problems
    assert problem.path == ("share",)
    assert "finite number" in problem.what


def test_a_plugin_in_a_folder_whose_name_is_no_utf8_is_asked(tmp_path, cache):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has only UTF-8 names")
    (folder / "good.py").write_text(GOOD)
    listing = inspect_plugins([folder / "good.py"], without=BUILT_IN)
    assert listing.failures == ()
    assert listing.names("projector") == ["good"]
