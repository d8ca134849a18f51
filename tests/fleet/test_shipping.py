"""What a suite names travels by its digest, once, into the suite's folder on the machine and nowhere else."""

from __future__ import annotations

import pytest
import yaml

from harness.errors import UserError
from harness.fleet import environment, facts, shipping
from harness.fleet.messages import Facts
from harness.suite import loading
from tests.fleet.fleet import written

DIGEST = "0" * 64


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_functions_plugins_databases_and_folders_travel(tmp_path):
    suite = {
        "name": "many", "plugins": ["./mine.py"],
        "source": {"use": "database", "options": {"path": "data/heads.db"}},
        "heads": {"values": [4]},
        "contenders": {
            "one": {"projector": "lda", "runtime": "python", "options": {"model": "models"}},
            "two": {"projector": "lda", "runtime": "python", "options": {"file": "/elsewhere/x.npz"}},
        },
    }  # fmt: skip
    for name in ("mine.py", "data/heads.db", "models/deep/weights", "models/.hidden", "unnamed.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "many.yaml").write_text(yaml.safe_dump(suite))
    found = shipping.files_of(loading.load(tmp_path / "many.yaml"))
    assert list(found.files) == ["many.yaml", "mine.py", "data/heads.db", "models/deep/weights"]
    assert found.elsewhere == ("/elsewhere/x.npz",)
    functions = shipping.files_of(loading.load(written(tmp_path / "functions")))
    assert list(functions.files) == ["pair.yaml", "pair.py"]


def test_a_file_is_sent_once_and_laid_out(tmp_path, cache):
    (tmp_path / "x.py").write_text("x")
    shipment = shipping.Shipment(files={"deep/x.py": tmp_path / "x.py"})
    wanted = shipment.digests()
    lacking = shipping.missing(wanted.values())
    assert lacking == tuple(wanted.values())
    shipping.store(shipping.packed(shipment, lacking))
    assert shipping.missing(wanted.values()) == ()
    shipping.laid_out(wanted, tmp_path / "machine")
    assert (tmp_path / "machine" / "deep" / "x.py").read_text() == "x"


def test_a_damaged_file_is_refused(cache):
    with pytest.raises(UserError, match="a file was damaged on its way"):
        shipping.store({DIGEST: "eHl6"})


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "", "a\\b", "a\0b"])
def test_no_path_leads_out_of_the_suites_folder(tmp_path, cache, name):
    with pytest.raises(UserError, match="is outside the suite's folder"):
        shipping.laid_out({name: DIGEST}, tmp_path / "suite")


def test_what_biases_timings_is_removed_and_secrets_are_not_written_down():
    given = {"MALLOC_TRIM_THRESHOLD_": "65536", "LD_PRELOAD": "x.so", "OMP_NUM_THREADS": "1", "TOKEN": "secret"}
    seen, removed = environment.scrubbed(given)
    assert removed == ("LD_PRELOAD", "MALLOC_TRIM_THRESHOLD_")
    assert environment.recorded(seen) == {"OMP_NUM_THREADS": "1", "TOKEN": "(set)"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"harness": "9"}, "its harness is 9, and here it is 1"),
        ({"code": "1" * 64}, "its harness has other code (111111111111, here 000000000000)"),
        ({"suite": "1" * 64}, "its suite is another one (111111111111, here 000000000000)"),
        ({"plugins": {}}, "the plugin p is absent, and here it is 000000000000"),
        ({"data": {"/d": None}}, "/d is absent, and here it is 000000000000"),
    ],
)
def test_every_difference_is_a_sentence(change, sentence):
    here = Facts(harness="1", code=DIGEST, suite=DIGEST, plugins={"p": DIGEST}, data={"/d": DIGEST})
    assert list(facts.differences(here, here.model_copy(update=change))) == [sentence]
    assert list(facts.differences(here, here.model_copy(update={"machine": {"processor": "other"}}))) == []
