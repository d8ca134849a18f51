"""Where and how contenders of one suite are called, in words, as far as they differ in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.suite.schema import Suite


def settings(suite: Suite) -> dict[str, str]:
    """`cuda:1, 2 threads, transfers included` by contender; empty where all contenders are alike.

    A fact is named for every contender as soon as two of them differ in it, but for transfers and queued calls, which
    are named where they count.
    """
    names = list(suite.contenders)
    devices = {name: suite.device_of(name) for name in names}
    threads = {name: suite.threads_of(name) for name in names}
    found: dict[str, list[str]] = {name: [] for name in names}
    for name in names:
        contender = suite.contenders[name]
        if len(set(devices.values())) > 1:
            found[name].append(devices[name])
        if len(set(threads.values())) > 1:
            found[name].append(f"{threads[name]} thread{'s' * (threads[name] != 1)}")
        if contender.transfers == "included":
            found[name].append("transfers included")
        if contender.mode == "pipelined":
            found[name].append("pipelined")
    return {name: ", ".join(words) for name, words in found.items() if words}


def remarks(suite: Suite) -> list[str]:
    """How threads wait, where contenders differ in how many they have."""
    if len({suite.threads_of(name) for name in suite.contenders}) < 2:
        return []
    spinning = [name for name, each in suite.contenders.items() if each.runtime_options.get("spinning")]
    passive = "threads of workers wait passively for work and do not spin, so that contenders keep their cores"
    if not spinning:
        return [
            f"{passive}; where ONNX Runtime is deployed spinning, its default, set runtime_options: {{spinning: true}}"
        ]
    return [f"{passive}; those of {', '.join(spinning)} spin, as their options say"]
