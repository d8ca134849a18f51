"""This machine and submitit's clusters as executors; a run without `--on` is looked at in tests/test_imports.py."""

from __future__ import annotations

import shutil

import pytest

from harness.errors import HarnessError, OfferError, RecordsError, UserError
from harness.fleet import choosing, coordinator, unit
from harness.fleet.messages import Extent, MachineRequest
from harness.plugin.execution import Machine
from harness.plugin.manager import Catalog
from harness.records.reader import read
from harness.testing import check_executor
from tests.command_line import called
from tests.fleet.fleet import written

DIGEST = "0" * 64


def test_this_machine_keeps_the_rules_of_executors():
    check_executor(Catalog.load(only=["harness_plugins.this_machine"]).get("executor", "local"))


def test_the_slurm_executor_runs_on_submitits_local_cluster(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setenv("HARNESS_SLURM", str(tmp_path / "shared"))
    suite = written(tmp_path / "s")
    done = called("run", suite, "--on", "slurm:local", "--output", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (each for each in (tmp_path / "out").iterdir() if each.is_dir())
    assert read(folder).run.status == "complete"
    assert called("verify", folder).returncode == 0


def test_slurm_without_slurm_is_a_sentence(monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="there is no Slurm here: `sinfo` is not found"):
        choosing.executor("slurm").machines()


def test_an_unknown_executor_is_a_sentence():
    with pytest.raises(OfferError, match=r"no executor 'slrum'; did you mean 'slurm'"):
        choosing.executor("slrum:local")


def test_machines_are_chosen_by_name_and_never_twice():
    twice = [Machine(name="a", claim="x"), Machine(name="b", claim="x"), Machine(name="c")]
    with pytest.raises(UserError, match="a and b are two workers on one machine, and would measure each other"):
        coordinator._choose_machines(twice, ())
    assert coordinator._choose_machines(twice, ["c", "a", "c"]) == (twice[2], twice[0])
    with pytest.raises(UserError, match="there is no machine 'd' now; choose from a, b, c"):
        coordinator._choose_machines(twice, ["d"])
    with pytest.raises(UserError, match="make the same folder"):
        coordinator._choose_machines([Machine(name="a/b"), Machine(name="a b")], ())


def test_records_that_the_machine_no_longer_has_are_not_overwritten(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    asked = MachineRequest(
        do="run", key="a" * 32, suite="x.yaml", files={}, have={"measurements.jsonl": Extent(size=9, sha256=DIGEST)}
    )
    answer = unit.perform_request(asked.model_dump_json(), lambda _: None)
    assert "this machine no longer has the 9 bytes of measurements.jsonl" in answer


def test_options_that_mean_nothing_elsewhere_are_refused(tmp_path):
    suite = written(tmp_path)
    done = called("run", suite, "--on", "local", "--save", "one=x")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--save cannot be used with --on" in done.stderr
    assert "--machine needs --on" in called("run", suite, "--machine", "a").stderr


def test_what_a_stranger_offers_as_an_executor_is_reached_by_its_scheme(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import harness\n"
        "class Mine(harness.Executor):\n"
        '    "Mine."\n'
        "    name = 'mine'\n"
        "    schemes = ('mine+ssh',)\n"
        "    def machines(self):\n        return []\n"
        "    def run(self, machine, request):\n        raise harness.HarnessError('no')\n"
        "@harness.hookimpl\n"
        "def harness_executors():\n    return [Mine()]\n"
    )
    assert choosing.executor("mine+ssh://x:1", [path]).options.at == "mine+ssh://x:1"
    assert choosing.executor("mine:x", [path]).options.at == "x"
    with pytest.raises(HarnessError, match="the executor 'mine' needs no worker"):
        choosing.executor("mine", [path]).work({}, print)


@pytest.mark.parametrize("text", ["", "[]", "[" * 5000, '{"key": "x", "machines": {}}', '{"key": "0", "machines": []}'])
def test_a_run_of_several_machines_that_somebody_damaged_is_a_sentence(tmp_path, text):
    (tmp_path / coordinator.FLEET).write_text(text)
    with pytest.raises(RecordsError, match="no run of several machines wrote it; restore it"):
        coordinator._stored_run(tmp_path / coordinator.FLEET)
    (tmp_path / coordinator.FLEET).write_text('{"key": "' + "0" * 32 + '", "machines": {}}')
    assert coordinator._stored_run(tmp_path / coordinator.FLEET)["machines"] == {}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["scheduler:8786"], "no executor 'scheduler'; write tcp://scheduler:8786"),
        (["lokal"], "no executor 'lokal'; did you mean 'local'?"),
        (["local", "--machine", "nowhere"], "there is no machine 'nowhere' now; choose from "),
        (
            ["local", "--allow-plugin", "x.py"],
            "--allow-plugin cannot be used with --on; put the file into the suite's ",
        ),
    ],
)
def test_a_mistake_is_a_sentence_with_what_to_do(tmp_path, words, sentence):
    done = called("run", written(tmp_path), "--output", tmp_path / "out", "--on", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert sentence in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_plugin_beside_the_suites_folder_does_not_travel(tmp_path, monkeypatch):
    plugin = tmp_path / "mine.py"
    plugin.write_text("import harness\n@harness.hookimpl\ndef harness_projectors():\n    return []\n")
    monkeypatch.setenv("HARNESS_ALLOW_PLUGINS", str(plugin))
    done = called("run", written(tmp_path / "s", plugins=["../mine.py"]), "--on", "local", "--output", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "the suite names ../mine.py, and no path with `..` travels to other machines; put it into the " in done.stderr
    )
    assert not (tmp_path / "out").exists()


def test_a_run_without_on_prints_and_leaves_what_the_local_executor_does(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    suite, fleet, alone = written(tmp_path / "s"), tmp_path / "fleet", tmp_path / "alone"
    first = called("run", suite, "--on", "local", "--output", fleet)
    assert first.returncode == 0, first.stdout + first.stderr
    (machine,) = (each for each in fleet.iterdir() if each.is_dir())
    shutil.copytree(machine, alone)
    (sent,) = tmp_path.glob("cache/fleet/runs/*/suite/pair.yaml")
    again = called("run", sent, "--resume", alone)  # complete: it measures nothing, and prints the report
    assert again.returncode == 0, again.stdout + again.stderr
    report = first.stdout.partition(f"\n\n{machine.name}\n")[2].replace(str(machine), str(alone))
    assert report
    assert again.stdout.endswith(report)
    files = [{each.name for each in folder.iterdir() if not each.name.startswith(".")} for folder in (alone, machine)]
    assert files[0] == files[1]
