"""Hostile run folders: a made-up run with keys, values and bytes exchanged, read by every command that reads runs."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from harness import dispatch
from harness.analysis.advice import advice
from harness.analysis.compare import history, runs
from harness.analysis.fleet.fleet import fleet
from harness.analysis.summary import summarise
from harness.cli.output import say
from harness.commands import tune
from harness.commands.register.checking import checked
from harness.errors import HarnessError
from harness.records.crossovers import dump
from harness.records.writer import read
from harness.report import comparison, data, html, markdown, pytest_benchmark, terminal, verification, writing
from harness.report.exports import asv, bencher, github_action, openmetrics
from harness.report.fleet import writing as fleets
from harness.report.site import build
from tests.fuzz.hostile import changed, damaged, everywhere
from tests.fuzz.judging import Target
from tests.synthetic import SUITE, Maker

if TYPE_CHECKING:
    from random import Random

_MARKUP = re.compile(r"<script|(?<!\\)\[x\]\(|(?<!\\)a\|b")  # what the values of `hostile` would begin
_SUITE = {
    **SUITE,
    "heads": {"values": [18, 64]},
    "batch_sizes": [1],
    "races": [{**SUITE["races"][0], "batch_sizes": [1]}],
    "documented": {**SUITE["documented"], "figures": SUITE["documented"]["figures"][:2]},
}


@cache
def files() -> dict[str, str]:
    """What an honest run leaves, small."""
    maker = Maker(_SUITE).table(launches=2, rounds=2).self_check(launches=2).fail("teacher", 64, 1).searches()
    maker.score("student", 18, mean_cosine=0.99, min_cosine=0.9, std_cosine=0.01, top1_agreement=0.97)
    limits = {
        "flops_per_second": {"1": 1e10, "512": 1e11},
        "bytes_per_second": {"262144": 1e11, "67108864": 1e10},
        "products": [[1, 384, 18, 1e10]],
        "costs": {"teacher": [[18, 1, 27720.0, 58368.0, [[1, 384, 18]]], [64, 1, 9e4, 2e5, [[1, 384, 64]]]]},
    }
    machine = {
        "processor": "A Processor",
        "architecture": "x86_64",
        "system": "Linux 6.1",
        "usable_cores": 2,
        "memory_bytes": 2**33,
        "caches": {"L1": 32768, "L2": 2**20},
        "container": {"cpu.max": "200000 100000"},
        "python": "3.12.1",
        "limits": limits,
    }
    source = {
        "kind": "real", "description": "questions", "digest": "ab12", "all_digest": "cd34", "heads": 18, "width": 384,
        "output_width": 384, "temperature": 0.1, "train_queries": 64, "held_out_queries": 16, "notes": ["one was left out"],
    }  # fmt: skip
    used = {("projector", each.projector) for each in maker.suite.contenders.values()}
    used |= {("runtime", each.runtime) for each in maker.suite.contenders.values()}
    about = {"origin": "built-in x", "version": "1"}
    offers = {f"{kind} {name}": about | ({"family": "lda"} if "lda" in name else {}) for kind, name in sorted(used)}
    project = {"suite": "suites/synthetic.yaml", "name": "mine", "branch": "main", "id": "0" * 40}
    evidence = maker.evidence(
        machine=machine, source=source, sources={"student": source}, offers=offers, project=project,
        recovery={"1": {"18": {"teacher": 0.001}}},
    )  # fmt: skip
    return {
        "run.json": evidence.run.model_dump_json(indent=1),
        "measurements.jsonl": "".join(each.model_dump_json() + "\n" for each in evidence.measurements),
        "fidelity.jsonl": "".join(each.model_dump_json() + "\n" for each in evidence.fidelities),
        "crossovers.json": dump(maker.located),
    }


@cache
def report() -> str:
    """The report of the honest run."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        for each, text in files().items():
            (Path(name) / each).write_text(text)
        return data.to_json(summarise(read(Path(name))))


def write(random: Random, folder: Path) -> None:
    """run/ as it was sent, and honest/ as it was made."""
    honest, sent = folder / "honest", folder / "run"
    honest.mkdir()
    sent.mkdir()
    written = {**files(), "report.json": report()}
    for name, text in written.items():
        (honest / name).write_text(text)
        (sent / name).write_text(text)
    for _ in range(random.choice((1, 1, 2))):
        name = random.choice([*files(), "run.json", "measurements.jsonl", "crossovers.json", "report.json"])
        (sent / name).write_bytes(_spoilt(random, name, written[name]))
    if random.random() < 0.03:
        name = random.choice(list(written))
        (sent / name).unlink()
        random.choice(((sent / name).mkdir, lambda: (sent / name).symlink_to(name), lambda: None))()


def _spoilt(random: Random, name: str, text: str) -> bytes:
    way = random.random()
    if way < 0.15:
        return damaged(random, text.encode())
    if way < 0.2:
        nested = "[" * random.choice((900, 100_000))
        return random.choice(
            (
                nested.encode(),
                b'{"a":' * 50_000,
                b"",
                b"\xff\xfe",
                b"null",
                b"[]",
                b"{}",
                b"1",
                b"\n\n",
                b'{"schema_version": "\x1b"}',
            )
        )
    if name.endswith(".jsonl"):
        lines = [json.loads(each) for each in text.splitlines()]
        if random.random() < 0.3:
            return "".join(json.dumps(each) + "\n" for each in everywhere(random, lines)).encode()
        for _ in range(random.choice((1, 1, 3, len(lines)))):
            place = random.randrange(len(lines))
            lines[place] = changed(random, lines[place], random.choice((1, 1, 2)))
        if random.random() < 0.1:
            lines += lines
        return "".join(json.dumps(each) + "\n" for each in lines).encode()
    data = json.loads(text)
    if random.random() < 0.3:
        return json.dumps(everywhere(random, data)).encode()
    return json.dumps(changed(random, data, random.choice((1, 1, 2, 4)))).encode()


def use(folder: Path, random: Random) -> None:
    """Every command that reads runs."""
    sent, honest = folder / "run", folder / "honest"
    refused: list[HarnessError] = []

    def attempt(call: Any) -> Any:
        try:
            return call()
        except HarnessError as error:
            say(f"error: {error}")
            refused.append(error)

    attempt(lambda: say("\n".join(verification.verify(sent).sentences)))
    evidence = attempt(lambda: read(sent))
    if evidence is not None:
        summary = attempt(lambda: summarise(evidence))
        if summary is not None:
            terminal.render(summary, Console(width=120), verbose=random.random() < 0.3)
            print(_pasted(markdown.render(summary)))
            say(data.to_csv(summary).encode().decode())
            json.loads(data.to_json(summary).encode())
            attempt(lambda: say(_pasted(fleets.to_markdown(fleet([summarise(read(honest)), summary], force=True)))))
            attempt(lambda: say("\n".join(advice.advise(summary, 100, 1).sentences)))
            if random.random() < 0.15:
                page = html.render(summary).encode().decode()
                assert "<script>alert" not in page
        attempt(lambda: say(comparison.text(runs.compare(evidence, read(honest)))))
        attempt(lambda: say(_pasted(comparison.markdown(runs.compare(read(honest), evidence)))))
        attempt(lambda: say(comparison.history(history.history([read(honest), evidence]))))
        attempt(lambda: json.loads(pytest_benchmark.export(evidence, folder / "storage", data=True).read_text()))
    if evidence is not None:
        attempt(lambda: print(openmetrics.render(evidence)))
        attempt(lambda: json.loads(bencher.render(evidence)))
        attempt(lambda: json.loads(github_action.render(evidence)))
        attempt(lambda: asv.export(evidence, folder / "asv"))
        tables = attempt(lambda: summarise(evidence).dispatch)
        if tables:
            (sent / "dispatch.json").write_text(writing.dispatch(tables))
            attempt(lambda: _tuned(sent, evidence, tables[0].race))
    _published(folder, random)
    if refused:
        raise refused[-1]


def _pasted(text: str) -> str:
    """Markdown, in which nothing but code shows what a run says as it is."""
    for line in text.splitlines():
        assert line.startswith("    ") or not _MARKUP.search(line), line
    return text


def _published(folder: Path, random: Random) -> None:
    """In a register and on a site, each now and then."""
    if random.random() < 0.2:
        into = folder / "taken"
        into.mkdir()
        say(checked(folder / "run", into).sentence)
    if random.random() < 0.2:
        say("\n".join(build(folder, folder / "site").broken))


def _tuned(sent: Path, evidence: Any, race: str) -> None:
    """Thresholds as code, which must be code whatever contenders are called."""
    table = dispatch.read(sent, race)
    names: dict[str, Any] = {}
    exec(compile(tune.written(table, evidence, "python"), "tuned", "exec"), names)
    assert names["choose"](100, 1) in (table["baseline"], table["challenger"])
    header = tune.written(table, evidence, "c-header")
    assert header.count("*/") == 1
    for line in header.partition("*/")[2].split("\n"):
        assert not line or line.startswith(("#ifndef ", "#define ", "#endif"))
        assert len(line) - len(line.replace('"', "")) in (0, 2)


def prepare() -> None:
    """What is shared by all inputs; putting Vega together takes more address space than an input is given."""
    report()
    script = html.bundle()
    html.bundle = lambda: script


RUNS = Target(name="runs", write=write, use=use)
