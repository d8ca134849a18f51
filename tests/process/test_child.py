"""A child process answers, or the parent is told in words why it did not."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.measure.answers import validated
from harness.process import child as child_module
from harness.process.child import Child, ChildFailed, environment

FIXTURES = Path(__file__).parents[1] / "fixtures"
PATIENT = 60.0


@contextlib.contextmanager
def started(**settings):
    path = os.pathsep.join([str(FIXTURES), *filter(None, [os.environ.get("PYTHONPATH")])])
    child = Child("odd_child", settings, environment={"PYTHONPATH": path})
    try:
        yield child
    finally:
        child.close(patience=0.0)


@pytest.fixture(scope="module")
def child():
    """One child for all that leaves it alive."""
    with started() as one:
        yield one


def failure_of(child, do, deadline=PATIENT, **more):
    with pytest.raises(ChildFailed) as caught:
        child.ask({"do": do, **more}, stage="sample", deadline=deadline)
    return caught.value


def test_it_answers(child):
    assert child.ask({"do": "answer", "text": "µ"}, stage="load", deadline=PATIENT) == {"echo": "µ"}


def test_what_it_refuses_is_told_in_its_own_words_and_it_lives_on(child):
    failed = failure_of(child, "refuse")
    assert failed.alive
    assert failed.failure.kind == "error"
    assert failed.failure.stage == "sample"
    assert "it does not fit" in failed.failure.what
    assert "use a smaller one" in failed.failure.what
    assert child.ask({"do": "answer", "text": "still here"}, stage="load", deadline=PATIENT) == {"echo": "still here"}


def test_an_unexpected_exception_is_told_with_its_place(child):
    failed = failure_of(child, "stumble")
    assert failed.alive
    assert failed.failure.what.startswith("KeyError: 'lost'")
    assert "odd_child.py:" in failed.failure.what


def test_a_plugin_that_calls_exit_ends_the_request_and_not_the_child(child):
    failed = failure_of(child, "say_exit")
    assert failed.alive
    assert failed.failure.what.startswith("SystemExit: good-bye")


def test_memory_that_runs_out_has_a_kind_of_its_own(child):
    failed = failure_of(child, "starve")
    assert failed.failure.kind == "memory"
    assert failed.failure.what.startswith("memory ran out")


def test_a_flood_of_prints_does_not_block_and_its_last_lines_are_kept(child):
    assert child.ask({"do": "flood", "lines": 400}, stage="load", deadline=PATIENT) == {"printed": 400}
    printed = failure_of(child, "refuse").failure.output
    assert 0 < len(printed) <= 20
    assert max(map(len, printed)) <= 300


def test_settings_that_a_child_cannot_use_are_told_at_the_first_request():
    with started(broken=True) as child:
        assert failure_of(child, "answer").failure.what.startswith("the settings are wrong")


def test_a_child_that_hangs_is_killed_at_its_deadline():
    with started() as child:
        child.ask({"do": "answer", "text": ""}, stage="load", deadline=PATIENT)
        failed = failure_of(child, "hang", deadline=0.05)
        assert (failed.failure.kind, failed.failure.what) == ("deadline", "no answer within 0.05 s")
        assert not failed.alive
        assert not child.alive


@pytest.mark.parametrize(
    ("do", "more", "kind", "what"),
    [
        ("leave", {"code": 3}, "exit", "the process exited with code 3"),
        ("die", {"signal": "SIGSEGV"}, "signal", "the process was killed by SIGSEGV"),
        ("die", {"signal": "SIGKILL"}, "signal", "as the kernel does when memory runs out"),
        ("babble", {}, "protocol", "the answer could not be read"),
        ("half_answer", {}, "protocol", "the answer has neither a value nor an error"),
        ("number", {}, "protocol", "the answer has neither a value nor an error"),
        ("odd_error", {}, "protocol", "the answer has neither a value nor an error"),
        ("claims", {}, "protocol", "the answer has neither a value nor an error"),
        ("deep", {}, "protocol", "the answer could not be read"),
        ("huge", {}, "protocol", "the response claims to have 18,446,744,073,709,551,615 bytes"),
        ("negative", {}, "protocol", "the response claims to have -7 bytes"),
    ],
)
def test_each_way_to_end_is_told(do, more, kind, what):
    with started() as child:
        failed = failure_of(child, do, **more)
        assert failed.failure.kind == kind
        assert what in failed.failure.what
        assert failed.failure.signal == more.get("signal")
        assert not failed.alive
        assert not child.alive


def test_a_real_time_signal_has_a_name():
    with started() as child:
        failed = failure_of(child, "real_time")
        assert (failed.failure.kind, failed.failure.signal) == ("signal", "SIGRTMIN+5")


def test_a_text_that_no_file_can_hold_is_written_down_all_the_same(child):
    failed = failure_of(child, "lone_surrogate")
    assert failed.alive
    assert "no file \\udcff" in failed.failure.what
    assert "\x1b" not in failed.failure.what
    failed.failure.model_dump_json().encode()


@pytest.mark.parametrize("more", [{}, {"clean": True}, {"then_die": True}])
def test_a_daemon_ends_with_the_child_that_left_it_behind_and_holds_up_nothing(more):
    before = {each.pid for each in psutil.process_iter()}
    with started() as child:
        if more.get("then_die"):
            assert failure_of(child, "start_daemon", **more).failure.what == "the process exited with code 5"
        else:
            child.ask({"do": "start_daemon", **more}, stage="load", deadline=PATIENT)
        begun = time.monotonic()
        child.close(patience=0.0)
        assert time.monotonic() - begun < 30  # the daemon would sleep for 600
    found = [each for each in psutil.process_iter(["cmdline"]) if each.pid not in before]
    left = [each for each in found if "os.write(3" in str(each.info["cmdline"])]
    assert [each for each in left if each.status() != "zombie"] == []


def test_an_answer_of_another_shape_is_a_protocol_error():
    with started() as child:
        with pytest.raises(ChildFailed) as caught:
            validated(child, "sample", "sample", {"seconds": "many", "started": 1.0})
        assert caught.value.failure.kind == "protocol"
        assert caught.value.failure.what.startswith("the answer is not what was asked for: seconds: ")
        assert not child.alive


def test_an_answer_that_is_no_json_is_refused_and_the_child_lives_on():
    with started() as child:
        failed = failure_of(child, "unwritable")
        assert "not JSON serializable" in failed.failure.what
        assert failed.alive
        assert child.ask({"do": "answer", "text": "x"}, stage="load", deadline=PATIENT) == {"echo": "x"}


def test_notices_are_heard_in_order_and_mean_nothing_where_nobody_listens():
    heard = []
    with started() as child:
        answer = child.ask({"do": "announcing"}, stage="import", deadline=PATIENT, hear=heard.append)
        assert (answer, heard) == ({"done": 2}, [{"action": "one"}, {"action": "two \\x1b"}])
        assert failure_of(child, "announcing").failure.kind == "protocol"


def test_notices_without_end_are_no_answer(monkeypatch):
    monkeypatch.setattr(child_module, "_MOST_NOTICES", 20)
    with started() as child:
        assert child.ask({"do": "chattering", "times": 20}, stage="import", deadline=PATIENT, hear=id) == {"done": 20}
        with pytest.raises(ChildFailed) as caught:
            child.ask({"do": "chattering", "times": 21}, stage="import", deadline=PATIENT, hear=id)
        assert (caught.value.failure.kind, child.alive) == ("protocol", False)
        assert caught.value.failure.what == "it sent more than 20 notices and no answer"


def test_a_process_that_forks_and_comes_back_twice_answers_once():
    with started() as child:
        for turn in map(str, range(5)):
            assert child.ask({"do": "forks"}, stage="load", deadline=PATIENT) == {"copy": False}
            assert child.ask({"do": "answer", "text": turn}, stage="load", deadline=PATIENT) == {"echo": turn}


def test_an_exception_whose_text_raises_is_told_by_its_name(child):
    failed = failure_of(child, "unreadable")
    assert (failed.alive, failed.failure.what) == (True, "UnreadableError, whose text cannot be read (SystemExit)")


def test_what_is_raised_without_an_output_is_told():
    with started() as child:
        failed = failure_of(child, "close_output")
        assert failed.failure.what.startswith("ValueError: no output")
        assert child.ask({"do": "answer", "text": "here"}, stage="load", deadline=PATIENT) == {"echo": "here"}


def test_a_child_that_never_reads_does_not_hold_up_its_parent(monkeypatch):
    monkeypatch.setattr(child_module, "_WHOLE_SECONDS", 0.2)
    monkeypatch.setattr(child_module, "_END_SECONDS", 0.2)
    path = os.pathsep.join([str(FIXTURES), *filter(None, [os.environ.get("PYTHONPATH")])])
    child = Child("deaf_child", {"much": "x" * 2**22}, environment={"PYTHONPATH": path})
    try:
        with pytest.raises(ChildFailed):
            child.ask({"do": "answer"}, stage="load", deadline=0.2)
    finally:
        child.close(patience=0.0)
    assert not child.alive


def test_an_answer_that_breaks_off_does_not_hold_up_the_run(monkeypatch):
    monkeypatch.setattr(child_module, "_REST_SECONDS", 1)
    with started() as child:
        failed = failure_of(child, "break_off")
        assert (failed.failure.kind, failed.failure.what) == ("protocol", "the response was cut short")
        assert not child.alive


def test_only_what_is_left_of_a_deadline_is_waited_for():
    with started() as child:
        child.ask({"do": "answer", "text": ""}, stage="load", deadline=PATIENT)
        child.send({"do": "hang"}, stage="sample")
        with pytest.raises(ChildFailed, match="no answer within 60 s"):
            child.receive(stage="sample", deadline=PATIENT, within=0.01)


def test_a_child_runs_under_the_flags_of_its_parent():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from harness.process.child import Child\n"
        "child = Child('odd_child', {}, environment={'PYTHONPATH': sys.argv[1]})\n"
        "print(child.ask({'do': 'flags'}, stage='load', deadline=60))\n"
        "child.close(0.0)"
    )
    path = os.pathsep.join([str(FIXTURES), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-O", "-X", "dev", "-W", "ignore", "-c", code, path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "{'optimize': 1, 'dev_mode': True}"


def test_a_child_that_is_gone_says_so_again_when_it_is_asked_again():
    with started() as child:
        failure_of(child, "leave", code=4)
        assert failure_of(child, "answer", text="").failure.what == "the process exited with code 4"


def test_what_a_child_started_ends_with_it():
    with started() as child:
        grandchild = child.ask({"do": "start_another"}, stage="load", deadline=PATIENT)["process_id"]
        child.close(patience=0.0)
        assert not child.alive
        ends = time.monotonic() + 5
        while psutil.pid_exists(grandchild) and psutil.Process(grandchild).status() != "zombie":
            assert time.monotonic() < ends
            time.sleep(0.005)


def test_closing_twice_is_harmless():
    with started() as child:
        child.close(patience=0.0)
        child.close(patience=0.0)
        assert not child.alive


def test_the_environment_limits_the_threads_of_every_library():
    found = environment(3)
    assert {name for name, value in found.items() if value == "3"} == {
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    }


def test_what_compilers_keep_lies_in_the_users_own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    assert environment(1)["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "inductor")


def test_the_traceback_is_kept_whole(child):
    lines = failure_of(child, "stumble").failure.traceback
    assert lines[0] == "Traceback (most recent call last):"
    assert any(line.strip() == 'raise KeyError("lost")' for line in lines)
    assert lines[-1] == "KeyError: 'lost'"


def test_the_output_of_one_contender_is_not_blamed_on_another():
    with started() as child:
        first = failure_of(child, "chatter", text="mine\nhalf a line", specification={"contender": "a"})
        assert first.failure.output == ("mine", "half a line")
        again = failure_of(child, "chatter", text="more\n", specification={"contender": "a"})
        assert again.failure.output == ("mine", "half a line", "more")
        other = failure_of(child, "chatter", text="", specification={"contender": "b"})
        assert other.failure.output == ()
