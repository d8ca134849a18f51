"""The newcomer's path, as the page says it: every file that it shows is written, every command is typed, in order."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import warm

PAGE = (Path(__file__).parents[2] / "docs" / "own-questions.md").read_text(encoding="utf-8")
SHORTER = [
    word for each in ("heads.to=4", "measurement.launches=2", "search.budget_samples=40") for word in ("--set", each)
]
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """The folder at the end of the path, and what each command printed."""
    folder = tmp_path_factory.mktemp("path")
    printed = {}

    def typed(command):
        words = shlex.split(command)
        program = [sys.executable, "-m", "harness"] if words[0] == "harness" else [sys.executable]
        shorter = SHORTER if words[:2] == ["harness", "run"] else []  # no figure of it is looked at
        done = warm.ran([*program, *words[1:], *shorter], cwd=folder, timeout=170)
        assert done.returncode == 0, command + "\n" + done.stdout + done.stderr
        printed[" ".join(words[:3])] = done.stdout

    for language, name, content in BLOCK.findall(PAGE):
        if language == "bash":
            for line in content.strip().splitlines():
                typed(line)
        else:
            (folder / name).write_text(content, encoding="utf-8")
            if name == "table.py":
                typed("python table.py")
    return folder, printed


@pytest.mark.timeout(420)
def test_the_path_leads_to_a_student_that_is_used(walked):
    folder, printed = walked
    assert len((folder / "questions.csv").read_text(encoding="utf-8").splitlines()) == 201
    assert printed["python use.py"].split() == ["(41,", "256)", "(256,)"]
    card = json.loads((folder / "student.json").read_text(encoding="utf-8"))
    assert card["weights"] == "student.safetensors"
    assert f"{card['name']} " in printed["harness distill --db"]


@pytest.mark.timeout(420)
def test_a_saved_student_is_loaded_elsewhere_and_scores_the_same(walked):
    folder, _ = walked
    card = json.loads((folder / "student.json").read_text(encoding="utf-8"))
    code = "\n".join(["import numpy", "queries = numpy.load('heads.npz')['test']", *card["load"]])
    command = [sys.executable, "-c", code + "\nnumpy.save('projections.npy', projections)"]
    assert warm.ran(command, cwd=folder, timeout=120).returncode == 0
    with np.load(folder / "heads.npz") as stored:
        from harness.measure import fidelity

        queries, answers = stored["test"], stored["answers"]
        shares = fidelity.weights(queries, stored["centroids"], float(stored["temperature"]))
    found = fidelity.score(np.load(folder / "projections.npy"), shares @ answers, answers)
    for name in ("mean_cosine", "top1_agreement", "norm_error"):
        assert found[name] == pytest.approx(card["scores"][name], abs=1e-4)


@pytest.mark.timeout(420)
def test_its_onnx_form_computes_the_same(walked):
    import onnxruntime

    folder, _ = walked
    with np.load(folder / "heads.npz") as stored:
        queries = stored["test"]
    session = onnxruntime.InferenceSession(folder / "student.onnx", providers=["CPUExecutionProvider"])
    from harness_plugins import load_student

    wanted = load_student(folder / "student.safetensors")(queries)
    np.testing.assert_allclose(session.run(None, {"queries": queries})[0], wanted, atol=1e-4)


@pytest.mark.timeout(420)
def test_every_line_that_is_printed_makes_sense_without_another_page(walked):
    _, printed = walked
    told = "\n".join(printed.values())
    assert not re.search(r"suite:\d+|Traceback|\bnan\b", told)
    assert "<- chosen" in printed["harness heads build"]
    assert re.search(
        r"^by mean cosine on \d+ held-out queries, against the teacher: ", printed["harness distill --db"], re.MULTILINE
    )
    assert "load it: from harness_plugins import load_student; " in printed["harness distill --db"]
