"""Tables of the pages, from the committed reports below results/baseline: filled in by `tests.docs.includes`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

BASELINE = Path(__file__).parents[2] / "results" / "baseline"
RACES = {
    "documented": "as documented: loop over heads in Python against the eager student",
    "eager": "vectorised teacher against student, eager PyTorch",
    "torchscript": "the same in TorchScript",
    "onnxruntime": "the same in ONNX Runtime",
    "best": "each side at its best: ONNX Runtime, the student folded exactly",
    "linear": "the contender that the claim forgot: ridge regression against the teacher",
}
FORMS = {"numpy": "NumPy", "onnxruntime": "ONNX Runtime"}
SPEEDS = {
    "loop": ((18, 1), (18, 32), (1024, 1), (1024, 32)),
    "teacher-numpy": ((18, 256), (1024, 256), (16384, 1), (16384, 32), (16384, 256)),
    "student-eager": ((18, 1), (18, 32), (1024, 1), (16384, 32)),
}
STUDENTS = {
    "constant": "constant: the teacher's mean output",
    "linear": "linear: ridge regression on the query",
    "documented-full-batch": "documented student, documented recipe",
    "documented-mini-batch": "the same in mini-batches of 32",
    "ours": "our student and recipe",
}
SCORES = {"mean_cosine": "mean cosine", "min_cosine": "smallest cosine", "max_cosine": "largest cosine"}
TRAININGS = {"documented-full-batch-T1": "full batch", "documented-mini-batch-T1": "mini-batches of 32"}
EQUAL_TIMES = (
    (18, 0.1, ("linear-T0.1", "documented-10s-T0.1", "ours-T0.1")),
    (18, 0.05, ("linear-T0.05", "documented-10s-T0.05", "ours-T0.05")),
    (256, 0.1, ("linear-resampled", "documented-18s-N256-T0.1", "ours-N256-T0.1")),
    (256, 0.05, ("linear-N256-T0.05", "documented-18s-N256-T0.05", "ours-N256-T0.05")),
)


def crossovers() -> str:
    """From how many heads on the challenger is faster, for each race and batch size."""
    found = {(each["race"], each["batch_size"]): each for each in _report("crossover")["crossovers"]}
    batches = sorted({batch for _, batch in found})
    names = {1: "single query"} | {batch: f"batch {batch}" for batch in batches if batch > 1}
    rows = [[RACES[race], *(_where(found[race, batch]) for batch in batches)] for race in RACES]
    return _table(["race", *(names[batch] for batch in batches)], rows)


def frontier() -> str:
    """From how many heads on the student is faster, by batch size."""
    rows = [[str(each["batch_size"]), _where(each)] for each in _report("frontier")["crossovers"]]
    return _table(["batch", "the student is faster"], rows)


def nearest() -> str:
    """From how many heads on an index is faster than the exact projection, and how right it is at the largest N."""
    report = _report("nearest")
    rows = [[f"exact in {FORMS[each['race']]}", str(each["batch_size"]), _where(each)] for each in report["crossovers"]]
    last = max(report["fidelity"], key=lambda each: each["heads"])
    top1 = f"At N = {last['heads']:,} it puts the same answer first for {last['scores']['top1_agreement']:.1%} of held-out queries."
    return _table(["against", "batch", "the index is faster"], rows) + f"\n{top1}\n"


def threads() -> str:
    """From which N on two threads beat one, for each side, runtime and batch size."""
    names = {
        f"{side}-{runtime}": f"{label} in {library}"
        for side, label in (("teacher", "projection"), ("student", "student"))
        for runtime, library in (("eager", "eager PyTorch"), ("onnx", "ONNX Runtime"))
    }
    rows = [
        [names[each["race"]], str(each["batch_size"]), each["sentence"]] for each in _report("threads")["crossovers"]
    ]
    return _table(["what", "batch", "one thread or two"], rows)


def documented() -> str:
    """The documented figures beside what was measured."""
    rows = []
    for each in _report("crossover")["documented"]:
        batch = "a single query" if each["batch_size"] == 1 else f"batch {each['batch_size']}"
        what = {
            "slowdown": f"slowdown of the student at N = {each['heads']}",
            "crossover": "crossover",
            "latency": f"`{each['contender']}` at N = {each['heads']}, a query",
        }[each["quantity"]]
        rows.append([f"{what}, {batch}", each["documented"], _measured(each), each["verdict"]])
    rows += [
        [
            f"{SCORES[each['quantity']]} after 200 epochs at T = 1, {TRAININGS[each['contender']]}",
            each["documented"],
            f"{each['measured']['value']:.4f}",
            each["verdict"],
        ]
        for each in _report("distillation")["documented"]
        if each["quantity"] in SCORES and each["contender"] in TRAININGS
    ]
    return _table(["figure", "documented", "here", "verdict"], rows)


def headlines() -> str:
    """What came out, in a few lines."""
    documented = [each for each in _report("crossover")["documented"] if each["quantity"] == "slowdown"]
    single, batched = (next(each for each in documented if each["batch_size"] == batch) for batch in (1, 32))
    found = {(each["race"], each["batch_size"]): each for each in _report("crossover")["crossovers"]}
    trained = {each["contender"]: each["scores"] for each in _report("distillation")["fidelity"] if each["heads"] == 18}
    constant, student = (trained[name]["mean_cosine"] for name in ("constant-T1", "documented-full-batch-T1"))
    lines = f"""\
- The documented race (a Python loop over heads against an eager student) on this CPU: for a single query at N = 18 the student takes
  {_measured(single)} the time of the loop (documented: {single["documented"]}), at batch 32 {_measured(batched)} (documented:
  {batched["documented"]}). It is faster {_lead(found["documented", 1])} for single queries and {_lead(found["documented", 32])} at batch 32.
- Against a teacher written as two matrix products, each side at its best, the student is faster
  {_lead(found["best", 1])} for single queries and {_lead(found["best", 32])} at batch 32.
- A linear map is faster {_lead(found["linear", 1])} for single queries, but soon no longer ranks the same answer first.
- At temperature 1 a constant reaches a mean cosine of {constant:.4f}, the documented student {student:.4f}: what was documented as success
  says nothing there.
"""  # noqa: E501  lines of a page
    return f"On {_processor('crossover')}, one thread per worker:\n\n{lines}"


def _processor(name: str) -> str:
    run = json.loads((BASELINE / name / "run.json").read_text(encoding="utf-8"))
    return str(run["machine"]["processor"])


def conjecture() -> str:
    """H^L = N: mean cosine by layers, for one and for four attention heads, at three N."""
    found = {(each["contender"], each["heads"]): each["scores"] for each in _report("distillation")["fidelity"]}
    many = sorted({heads for name, heads in found if name.startswith("H4-L")})
    rows = [
        [f"{layers} ({4**layers} by the conjecture)", *(_both(found, layers, heads) for heads in many)]
        for layers in (1, 2, 3, 4)
    ]
    rows.append(["linear", *(f"{found['linear-resampled', heads]['mean_cosine']:.4f}" for heads in many)])
    return _table(["layers, H = 4 (H = 1)", *(f"N = {heads}" for heads in many)], rows)


def _both(found: Mapping[tuple[str, int], Mapping[str, float]], layers: int, heads: int) -> str:
    four, one = (found[f"H{count}-L{layers}", heads]["mean_cosine"] for count in (4, 1))
    return f"{four:.4f} ({one:.4f})"


def worth() -> str:
    """Our student beside the linear map and the documented one, with equal training times."""
    found = {(each["contender"], each["heads"]): each["scores"] for each in _report("distillation")["fidelity"]}
    rows = [
        [f"N = {heads}, T = {temperature}", *(_fidelity(found[name, heads]) for name in names)]
        for heads, temperature, names in EQUAL_TIMES
    ]
    return _table(["mean cosine (top-1 agreement)", "linear", "documented student", "ours"], rows)


def right() -> str:
    """How right the linear map is where it is faster than the teacher: on the main suite's held-out queries."""
    rows = [
        [
            f"{each['heads']:,}",
            f"{each['scores']['mean_cosine']:.3f}",
            f"{each['scores']['top1_agreement']:.2f}",
            f"{each['scores']['recall_at_10']:.2f}",
        ]
        for each in _report("crossover")["fidelity"]
        if each["contender"] == "linear-onnx"
    ]
    return _table(["N", "mean cosine", "top-1 agreement", "recall@10"], rows)


def speeds(unit: str) -> str:
    """Times as fast as one contender, at some N and batch sizes."""
    found = [each for each in _report("speed")["relative"] if each["unit"] == unit]
    places = SPEEDS[unit]
    rows = []
    for name in dict.fromkeys(each["contender"] for each in found):
        here = {(each["heads"], each["batch_size"]): each["speedup"] for each in found if each["contender"] == name}
        rows.append([f"`{name}`", *(_times(here.get(place)) for place in places)])
    return _table([f"times as fast as `{unit}`", *(f"N = {heads:,}, batch {batch}" for heads, batch in places)], rows)


def students() -> str:
    """Held-out fidelity at N = 18, at each temperature: mean cosine and top-1 agreement."""
    found = {each["contender"]: each for each in _report("distillation")["fidelity"] if each["heads"] == 18}
    temperatures = sorted({name.rpartition("-T")[2] for name in found if "-T" in name}, key=float, reverse=True)
    rows = [
        [label, *(_fidelity(found[f"{name}-T{temperature}"]["scores"]) for temperature in temperatures)]
        for name, label in STUDENTS.items()
    ]
    return _table(["mean cosine (top-1 agreement)", *(f"T = {each}" for each in temperatures)], rows)


def everyday() -> str:
    """Every choice of the everyday suite: from which n on the clever method leads, by how much, and what is documented."""
    report = _report("everyday")
    published = {each["race"]: each for each in report["documented"] if each["quantity"] == "crossover"}
    rows = []
    for each in report["crossovers"]:
        known = published.get(each["race"])
        told = f"{known['documented']}: {known['verdict']}" if known else ""
        rows.append([f"`{each['race']}`", f"`{each['baseline']}`", f"`{each['challenger']}`", each["sentence"], told])
    return _table(["race", "simple", "clever", "what came out", "documented"], rows)


def choice() -> str:
    """What SciPy's choice between two methods of convolution costs, over the better of the two at that n."""
    stored = json.loads((BASELINE / "everyday" / "crossovers.json").read_text(encoding="utf-8"))
    seen = {each["leg"]["race"]: each["location"]["probes"] for each in stored["located"]}
    rows = []
    for n in (10, 100, 1000, 10_000):
        near = [
            min(seen[f"convolution-choice-{method}"], key=lambda probe: abs(math.log(probe["heads"] / n)))
            for method in ("direct", "fft")
        ]
        slower = [math.exp(-probe["log_ratio"]) for probe in near]
        rows.append(
            [f"{near[0]['heads']:,}", "direct" if slower[0] >= slower[1] else "fft", f"{max(slower):.2f} times as long"]
        )
    return _table(["n", "the better method", "`method='auto'` takes"], rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "headlines": headlines,
    "frontier": frontier,
    "nearest": nearest,
    "threads": threads,
    "crossovers": crossovers,
    "documented": documented,
    "loop": lambda: speeds("loop"),
    "student-eager": lambda: speeds("student-eager"),
    "teacher-numpy": lambda: speeds("teacher-numpy"),
    "students": students,
    "conjecture": conjecture,
    "worth": worth,
    "right": right,
    "everyday": everyday,
    "choice": choice,
}


def _report(name: str) -> Any:
    return json.loads((BASELINE / name / "report.json").read_text(encoding="utf-8"))


def _where(case: Mapping[str, Any]) -> str:
    """Where the lead changes, in the words of a table's cell, and whether that counts."""
    counts = case.get("requires")
    if counts:
        return f"{_lead(case)}; accurate enough: " + (
            f"from {counts['counts_from']:,}" if counts["counts_from"] else "never"
        )
    return _lead(case)


def _lead(case: Mapping[str, Any]) -> str:
    span = f"{case['low']:,} to {case['high']:,}"
    if case["status"] == "below":
        return f"everywhere ({span})"
    if case["status"] == "above":
        return f"nowhere ({span})"
    if case["status"] == "tie":
        return f"no difference ({span})"
    parts = []
    for each in case["crossings"]:
        ours = each["direction"] == "challenger"
        place = (
            f"{each['heads']:,}"
            if each["kind"] == "step"
            else f"{each['heads']:,} ({each['low']:,} to {each['high']:,})"
        )
        parts.append(
            f"{'from' if ours else 'slower again from'} {place}{' (a cost step)' if each['kind'] == 'step' else ''}"
        )
    said = "; ".join(parts)
    if case["status"] == "unresolved":
        return f"unresolved{'; confirmed: ' + said if said else ''}"
    return said


def _measured(each: Mapping[str, Any]) -> str:
    if each["quantity"] == "slowdown" and each["measured"]:
        return f"{_number(each['measured']['value'])}x ({_span(each['measured'])})"
    if each["quantity"] == "latency" and each["measured"]:
        ms = {name: 1e3 * each["measured"][name] for name in ("value", "low", "high")}
        return f"{ms['value']:.3f} ms ({ms['low']:.3f} to {ms['high']:.3f})"
    case = next(
        case
        for case in _report("crossover")["crossovers"]
        if (case["race"], case["batch_size"]) == (each["race"], each["batch_size"])
    )
    return _where(case)


def _times(speedup: Mapping[str, Any] | None) -> str:
    return f"{_number(speedup['value'])} ({_span(speedup)})" if speedup else ""


def _span(interval: Mapping[str, Any]) -> str:
    return (
        f"{_number(interval['low'])} to {_number(interval['high'])}" if interval["low"] is not None else "no interval"
    )


def _number(value: float) -> str:
    """Three significant digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _fidelity(scores: Mapping[str, float]) -> str:
    return f"{scores['mean_cosine']:.4f} ({scores['top1_agreement']:.2f})"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"
