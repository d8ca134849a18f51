"""The reference of the suite format, made from the schema: `python -m harness.suite.reference` writes it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.suite import schema
from harness.validation import option_rows

README, PAGE = Path("suites/README.md"), Path("docs/suites.md")  # beside the suites, and as a page of the documentation
JSON_SCHEMA = Path("docs/suite.schema.json")
_PARTS = (
    schema.Suite, schema.HeadsRange, schema.HeadsList, schema.Use, schema.Contender, schema.Race, schema.Requires,
    schema.Measurement, schema.Search, schema.Documented, schema.Figure, schema.LatencyFigure,
    schema.FidelityFigure, schema.StepwiseWaterfall, schema.Change,
)  # fmt: skip
_DEFAULTS = {"required": "required", "nothing": "", "a mapping": "as below", "an empty mapping": "`{}`", "''": ""}
_INTRODUCTION = """\
# Suites

A suite says which contenders race, over which numbers of heads N and batch sizes B, and what is documented about them.
`harness check SUITE` validates one and prints what would run; `harness run SUITE` runs it. Mistakes are reported with
file, line, and what to write instead: first all mistakes of form at once, then all unknown components and
options. Words are defined in docs/concepts.md.

| suite | what it is for | on two quiet cores |
|---|---|---|
| `smoke.yaml` | check that the harness works on this machine | seconds |
| `crossover.yaml` | above how many heads is the student faster, and is it still accurate? | 15 minutes |
| `speed.yaml` | how fast can each side be, and how close to the machine's limits? | 10 minutes |
| `distillation.yaml` | what does the student learn, and what do trivial students? | 20 minutes, from the cache 1 |
| `nearest.yaml` | are a query's nearest heads enough? (needs the extra `[faiss]`) | 6 minutes |
| `everyday.yaml` | eight everyday choices between two methods: where are the crossovers, and what is documented? | 4 minutes |
| `everyday-extra.yaml` | `DataFrame.eval` against operators (needs the extra `[everyday]`) | 2 minutes |
| `threads.yaml` | above which N and batch size are two threads faster than one? | 8 to 11 minutes |
| `claim.yaml` | the documented race on its devices, one change at a time (complete with a GPU) | 10 minutes |
| `frontier.yaml` | how does the crossover move with the batch size? | 15 minutes |

```yaml
name: example
source: {use: resampled}              # as `harness plugins` lists them
heads: {from: 18, to: 65536, points: 7}
batch_sizes: [1, 32]
contenders:
  teacher: {projector: lda, runtime: onnxruntime}
  student: {projector: transformer, runtime: onnxruntime}
races:
  - {name: onnxruntime, baseline: teacher, challenger: student}
```

Numbers may be written `64k` or `1e6`. Relative paths are relative to the suite's file. `--set races[0].heads.to=4096`
overrides a value for one run; `--only CONTENDER` keeps some contenders, and lists the races that this drops. Editors that
support JSON Schema complete and check suites with `docs/suite.schema.json`: begin the file with

```yaml
# yaml-language-server: $schema=../docs/suite.schema.json
```

This page is made from the schema by `python -m harness.suite.reference`.
"""


def markdown() -> str:
    """The page: every part of a suite with its keys, types, defaults and meanings."""
    return _INTRODUCTION + "".join(line for part in _PARTS for line in _section(part))


def json_schema() -> str:
    """JSON Schema (draft 2020-12) of a suite file."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema.Suite.model_json_schema(by_alias=True),
    }
    return json.dumps(document, indent=2) + "\n"


def _section(part: type[schema.Part]) -> Iterator[str]:
    described = part.model_json_schema(by_alias=True)
    yield f"\n## {part.__name__}\n\n{inspect.cleandoc(part.__doc__ or '')}\n\n"
    yield "| key | type | default | meaning |\n|---|---|---|---|\n"
    for name, words, default, meaning in option_rows(described):
        linked = _linked(described["properties"][name]) or words.removesuffix(" or nothing")
        yield f"| `{name}` | {linked} | {_DEFAULTS.get(default, f'`{default}`')} | {meaning} |\n"


def _linked(described: Mapping[str, Any]) -> str:
    """Links to the parts that a key holds; empty where it holds none."""
    if "$ref" in described:
        name = described["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "items" in described and (inner := _linked(described["items"])):
        return f"list of {inner}"
    if isinstance(described.get("additionalProperties"), Mapping) and (
        inner := _linked(described["additionalProperties"])
    ):
        return f"mapping of names to {inner}"
    if isinstance(described.get("patternProperties"), Mapping):
        return "".join(
            f"mapping of names to {inner}"
            for each in described["patternProperties"].values()
            if (inner := _linked(each))
        )
    for union in ("anyOf", "oneOf"):
        links = [inner for each in described.get(union, ()) if (inner := _linked(each))]
        if links:
            return " or ".join(links)
    return ""


def main() -> None:
    """Writes the files, relative to the current folder."""
    for path, text in ((README, markdown()), (PAGE, markdown()), (JSON_SCHEMA, json_schema())):
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
