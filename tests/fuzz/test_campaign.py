"""The fuzzer: a short run finds nothing, and each kind of harm is found where there is one."""

import os
import time
from pathlib import Path

import pytest

from harness.errors import DataError
from tests.fuzz.campaign import Campaign, run
from tests.fuzz.judging import Target, judge

SECONDS = 8.0


def test_a_short_run_finds_nothing():
    began = time.monotonic()
    found = run(150, seed=2026, keep_on=lambda: time.monotonic() - began < SECONDS)
    assert not found.findings, found.render()
    assert sum(found.counts.values()) >= 5
    assert {kind for _, kind in found.counts} <= {"accepted", "sentence"}


def _refused(folder, random):
    raise DataError("it is bad")


def _bug(folder, random):
    raise KeyError("x")


def _executing(folder, random):
    os.system("true")


def _outside(folder, random):
    Path("/tmp/outside-of-the-folder").write_text("x")


def _obeyed(folder, random):
    print("\x1b[31mred")


def _hungry(folder, random):
    bytearray(3 * 2**30)


def _ended(folder, random):
    os._exit(3)


@pytest.mark.parametrize(
    ("use", "kind"),
    [
        (_refused, "sentence"),
        (lambda folder, random: None, "accepted"),
        (_bug, "bug"),
        (_executing, "executed"),
        (_outside, "outside"),
        (_obeyed, "printed"),
        (_hungry, "bug"),
        (_ended, "crash"),
    ],
)
def test_each_kind_of_harm_is_found(use, kind):
    verdict = judge(Target(name="made", write=lambda random, folder: None, use=use), "0")
    assert verdict.kind == kind
    assert verdict.harmless == (kind in ("sentence", "accepted"))


def test_what_takes_too_much_processor_time_is_a_hang(monkeypatch):
    monkeypatch.setattr("tests.fuzz.judging.CPU_SECONDS", 1)

    def endless(folder, random):
        while True:
            pass

    assert judge(Target(name="made", write=lambda random, folder: None, use=endless), "0").kind == "hang"


def test_a_finding_says_how_it_is_repeated():
    campaign = Campaign()
    target = Target(name="made", write=lambda random, folder: None, use=_bug)
    campaign.add(target, 7, judge(target, "0-7"))
    assert "made | bug" in campaign.render()
    assert "KeyError" in campaign.render()
    assert "(--only made --first 7 --inputs 1)" in campaign.render()
