"""What a suite says in one place and contradicts in another: names that nobody defines, ranges that never meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from harness.suite.schema import HeadsList, HeadsRange, too_many
from harness.validation import Path, ValidationIssue, did_you_mean, suggestion

FIDELITY_FIGURES = ("mean_cosine", "min_cosine", "std_cosine", "max_cosine")
_SCORES = (*FIDELITY_FIGURES, "skill", "top1_agreement", "recall_at_10", "norm_error", "mse")
SpanOf: TypeAlias = Callable[[Any], HeadsRange | HeadsList | None]


def contradictions(data: Any) -> Iterator[ValidationIssue]:
    """Every contradiction in a suite's plain data. Parts of a wrong type are passed over: validation reports them.

    Args:
        data: the suite as YAML gives it.
    """
    if not isinstance(data, Mapping):
        return
    contenders = _mapping(data.get("contenders"))
    races = [race if isinstance(race, Mapping) else {} for race in _list(data.get("races"))]
    spans: dict[int, HeadsRange | HeadsList | None] = {}

    def span_of(value: Any) -> HeadsRange | HeadsList | None:
        if id(value) not in spans:  # the sweep is asked about by every race
            spans[id(value)] = _heads(value)
        return spans[id(value)]

    if what := _too_many(contenders, races, data, span_of):
        yield ValidationIssue(path=(), what=what)
        return
    yield from _repeated(data.get("batch_sizes"), ("batch_sizes",))
    yield from _repeated(data.get("training_seeds"), ("training_seeds",))
    for number, race in enumerate(races):
        yield from _race(race, ("races", number), contenders, data, span_of)
    yield from _race_names(races)
    yield from _relative(_mapping(data.get("relative_to")), contenders)
    yield from _idle(contenders, data, span_of)
    yield from _documented(_mapping(data.get("documented")), races, data)
    yield from _waterfall(_mapping(data.get("waterfall")), races, data)
    yield from _documented_contenders(_mapping(data.get("documented")), contenders)


def _too_many(
    contenders: Mapping[str, Any], races: Sequence[Mapping[str, Any]], data: Mapping[str, Any], span_of: SpanOf
) -> str:
    """Why nothing else is looked at: every contender is compared with every N."""
    sweep, sizes = span_of(data.get("heads")), len(_list(data.get("batch_sizes"))) or 1
    searches = sum(len(_list(race.get("batch_sizes"))) or sizes for race in races)
    return too_many(len(contenders) * (len(sweep.grid()) if sweep is not None else 1) * sizes, searches)


def _race(
    race: Mapping[str, Any], path: Path, contenders: Mapping[str, Any], data: Mapping[str, Any], span_of: SpanOf
) -> Iterator[ValidationIssue]:
    for role in ("baseline", "challenger"):
        yield from _unknown_contender(race.get(role), contenders, (*path, role))
    if isinstance(race.get("baseline"), str) and race.get("baseline") == race.get("challenger"):
        yield ValidationIssue(
            (*path, "challenger"), f"{race['baseline']!r} cannot race itself", "`harness doctor` does that"
        )
    yield from _same_inputs(race, path, contenders)
    yield from _repeated(race.get("batch_sizes"), (*path, "batch_sizes"))
    yield from _batch_sizes(race, path, contenders, data)
    requires = race.get("requires")
    if isinstance(requires, Mapping) and not requires:
        yield ValidationIssue(
            (*path, "requires"), "requires nothing", "give cosine, top1_agreement, recall_at_10 or skill"
        )
    own = span_of(race.get("heads"))
    if own is not None and own.low == own.high:
        yield ValidationIssue(
            (*path, "heads"),
            f"a crossover cannot be located at N = {own.low:,} alone",
            "give a range, `from` below `to`",
        )
        return
    yield from _shared(race, path, own, contenders, data, span_of)


def _same_inputs(race: Mapping[str, Any], path: Path, contenders: Mapping[str, Any]) -> Iterator[ValidationIssue]:
    """Functions that race get the same input, so that it is made by one workload, or by one setup."""
    pair = [_mapping(contenders.get(str(race.get(role)))) for role in ("baseline", "challenger")]
    if not all(each.get("function") for each in pair):
        return
    for key in ("workload", "options", "setup", "equal"):
        one, other = (each.get(key) or None for each in pair)
        if one != other:
            yield ValidationIssue(
                path,
                f"its contenders have different inputs: `{key}` is {one!r} for {race['baseline']!r} and {other!r} "
                f"for {race['challenger']!r}",
                "functions race on the same input",
            )
            return


def _waterfall(
    waterfall: Mapping[str, Any], races: Sequence[Mapping[str, Any]], data: Mapping[str, Any]
) -> Iterator[ValidationIssue]:
    """Its steps name races of the suite, at batch sizes of the sweep."""
    names = [str(race["name"]) for race in races if "name" in race]
    sizes = _list(data.get("batch_sizes") or [1, 32])
    for number, step in enumerate(_list(waterfall.get("steps"))):
        race = _mapping(step).get("race")
        if isinstance(race, str) and race not in names:
            hint = suggestion(race, names)
            yield ValidationIssue(("waterfall", "steps", number, "race"), f"no race {race!r}", hint)
        size = _mapping(step).get("batch_size")
        if isinstance(size, int) and size not in sizes:
            hint = f"choose from {', '.join(map(str, sizes))}"
            yield ValidationIssue(("waterfall", "steps", number, "batch_size"), f"{size} is not in the sweep", hint)


def _relative(units: Mapping[str, Any], contenders: Mapping[str, Any]) -> Iterator[ValidationIssue]:
    """Units and those told in them are contenders, and none cannot be relative to itself."""
    for unit, names in units.items():
        places: list[tuple[Path, Any]] = [(("relative_to", unit), unit)]
        places += [(("relative_to", unit, place), name) for place, name in enumerate(_list(names))]
        for path, name in places:
            yield from _unknown_contender(name, contenders, path)
        if unit in _list(names):
            yield ValidationIssue(
                ("relative_to", unit), f"{unit!r} cannot be relative to itself", "remove it from its own list"
            )


def _batch_sizes(
    race: Mapping[str, Any], path: Path, contenders: Mapping[str, Any], data: Mapping[str, Any]
) -> Iterator[ValidationIssue]:
    """A race needs a batch size that both contenders take part in."""
    given = [_mapping(contenders.get(str(race.get(role)))).get("batch_sizes") for role in ("baseline", "challenger")]
    own = [None if each is None else _sizes(each) for each in given]
    asked = _list(race.get("batch_sizes") or data.get("batch_sizes") or [1, 32])
    if asked and not any(all(each is None or size in each for each in own) for size in _sizes(asked)):
        yield ValidationIssue(
            path, "its contenders share no batch size", "widen `batch_sizes` of one of the contenders"
        )


def _shared(
    race: Mapping[str, Any],
    path: Path,
    own: HeadsRange | HeadsList | None,
    contenders: Mapping[str, Any],
    data: Mapping[str, Any],
    span_of: SpanOf,
) -> Iterator[ValidationIssue]:
    """A race needs an N that race, sweep and both contenders share."""
    spans: dict[str, HeadsRange | HeadsList | None] = (
        {"the race": own} if own is not None else {"the sweep": span_of(data.get("heads"))}
    )
    for role in ("baseline", "challenger"):
        contender = _mapping(contenders.get(str(race.get(role))))
        if contender.get("heads") is not None:
            spans[f"{race[role]!r}"] = span_of(contender["heads"])
    known = {owner: span for owner, span in spans.items() if span is not None}
    if len(known) != len(spans) or len(known) < 2:
        return
    low, high = max(span.low for span in known.values()), min(span.high for span in known.values())
    if low >= high:
        listed = ", ".join(f"{owner} from {span.low:,} to {span.high:,}" for owner, span in known.items())
        yield ValidationIssue(path, f"no range of N is left to search: {listed}", "let the ranges overlap")


def _race_names(races: Sequence[Mapping[str, Any]]) -> Iterator[ValidationIssue]:
    first: dict[str, int] = {}
    for number, race in enumerate(races):
        name = race.get("name")
        if isinstance(name, str) and first.setdefault(name, number) != number:
            yield ValidationIssue(
                ("races", number, "name"), f"races[{first[name]}] is already called {name!r}", "rename one of them"
            )


def _idle(contenders: Mapping[str, Any], data: Mapping[str, Any], span_of: SpanOf) -> Iterator[ValidationIssue]:
    """A contender whose own range holds no N of the sweep is never measured, unless a race has a range of its own."""
    sweep = span_of(data.get("heads"))
    elsewhere = [race for race in _list(data.get("races")) if isinstance(race, Mapping) and race.get("heads")]
    raced = {str(race.get(role)) for race in elsewhere for role in ("baseline", "challenger")}
    for name, contender in contenders.items():
        own = span_of(contender.get("heads")) if isinstance(contender, Mapping) else None
        if own is None or sweep is None or name in raced:
            continue
        if not any(own.includes(heads) for heads in sweep.grid()):
            grid = ", ".join(f"{heads:,}" for heads in sweep.grid())
            yield ValidationIssue(
                ("contenders", name, "heads"),
                f"its range contains no N of the sweep ({grid})",
                "widen one of the two ranges",
            )


def _documented(
    documented: Mapping[str, Any], races: Sequence[Mapping[str, Any]], data: Mapping[str, Any]
) -> Iterator[ValidationIssue]:
    names = [race["name"] for race in races if isinstance(race.get("name"), str)]
    for number, figure in enumerate(_list(documented.get("figures"))):
        if not isinstance(figure, Mapping):
            continue
        path: Path = ("documented", "figures", number)
        name, batch_size = figure.get("race"), figure.get("batch_size")
        race = next((each for each in races if each.get("name") == name), None)
        if isinstance(name, str) and race is None:
            hint = suggestion(name, names) or "the suite has no races"
            yield ValidationIssue((*path, "race"), f"no race {name!r}", hint)
        if race is not None:
            measured = _list(race.get("batch_sizes") or data.get("batch_sizes") or (1, 32))
            if isinstance(batch_size, int) and measured and batch_size not in measured:
                listed = ", ".join(map(str, measured))
                yield ValidationIssue(
                    (*path, "batch_size"),
                    f"the race {name!r} is not run at batch {batch_size}",
                    f"it is run at {listed}",
                )
        if figure.get("slowdown") is None and figure.get("crossover") is None:
            yield ValidationIssue(path, "documents neither a slowdown nor a crossover", "give one of them, or both")
        if figure.get("slowdown") is not None and figure.get("heads") is None:
            yield ValidationIssue((*path, "heads"), "is missing: a slowdown was documented at some N", "give that N")
    for key in _mapping(documented.get("fidelity")):
        if key not in FIDELITY_FIGURES:
            hint = did_you_mean(str(key), FIDELITY_FIGURES, quote="`") or f"known here: {', '.join(FIDELITY_FIGURES)}"
            yield ValidationIssue(("documented", "fidelity", key), "unknown key", hint)


def _documented_contenders(documented: Mapping[str, Any], contenders: Mapping[str, Any]) -> Iterator[ValidationIssue]:
    """Documented latencies and scores are about contenders that there are, and scores about some at all."""
    for part in ("latencies", "scores"):
        for number, figure in enumerate(_list(documented.get(part))):
            if not isinstance(figure, Mapping):
                continue
            path: Path = ("documented", part, number)
            yield from _unknown_contender(figure.get("contender"), contenders, (*path, "contender"))
            if part == "scores":
                yield from _whose_scores(figure, path)
                yield from _projectors(figure, path, contenders)


def _whose_scores(figure: Mapping[str, Any], path: Path) -> Iterator[ValidationIssue]:
    named = [key for key in ("contender", "projector") if figure.get(key) is not None]
    if len(named) != 1:
        what = "needs `contender` or `projector`" if not named else "names both a contender and a projector"
        yield ValidationIssue(path, what, "give `contender`, or `projector` and perhaps `trainer`")
    if figure.get("trainer") is not None and figure.get("projector") is None:
        yield ValidationIssue((*path, "trainer"), "goes with `projector` alone", "leave it out")
    for key in _mapping(figure.get("scores")):
        if key not in _SCORES:
            hint = did_you_mean(str(key), _SCORES, quote="`") or f"known here: {', '.join(_SCORES)}"
            yield ValidationIssue((*path, "scores", key), "unknown key", hint)


def _projectors(figure: Mapping[str, Any], path: Path, contenders: Mapping[str, Any]) -> Iterator[ValidationIssue]:
    """Scores of a projector need a contender with it."""
    name = figure.get("projector")
    known = [str(_mapping(each).get("projector")) for each in contenders.values()]
    if isinstance(name, str) and known and name not in known:
        hint = did_you_mean(name, known) or f"they have {', '.join(dict.fromkeys(known))}"
        yield ValidationIssue((*path, "projector"), f"no contender has the projector {name!r}", hint)


def _unknown_contender(name: Any, contenders: Mapping[str, Any], path: Path) -> Iterator[ValidationIssue]:
    if isinstance(name, str) and contenders and name not in contenders:
        yield ValidationIssue(path, f"no contender {name!r}", suggestion(name, contenders))


def _repeated(values: Any, path: Path) -> Iterator[ValidationIssue]:
    seen: set[Any] = set()
    for number, value in enumerate(_list(values)):
        if isinstance(value, bool | list | dict):
            continue
        if value in seen:
            yield ValidationIssue((*path, number), f"{value} is listed twice", "keep one of them")
        seen.add(value)


def _heads(value: Any) -> HeadsRange | HeadsList | None:
    """A range or list of N, or None where it is absent or wrong."""
    if not isinstance(value, Mapping):
        return None
    shape: type[HeadsRange | HeadsList] = HeadsList if "values" in value else HeadsRange
    try:
        return shape.model_validate(dict(value))
    except ValueError:
        return None


def _sizes(value: Any) -> set[int | str]:
    return {each for each in _list(value) if isinstance(each, int | str)}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
