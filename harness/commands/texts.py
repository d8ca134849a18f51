"""A table of texts: CSV, TSV, JSON Lines or Parquet, read row by row and checked before anything is embedded."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import DataError, UserError
from harness.units import counted
from harness.validation import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_LONGEST_FIELD = 2**24  # characters of one CSV field
_NAMED = 5  # rows that a note names
FORMATS = ".csv, .tsv, .jsonl or .parquet"


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Distinct questions, with what belongs to them."""

    questions: Sequence[str]
    rows: Sequence[int]  # of each question in the table, counted from 0
    topics: Sequence[str] | None  # of each question; None where the table names none
    answers: Sequence[str]  # distinct answers
    answer_rows: Sequence[int]  # the row of each that it was read from first
    answer_of: Sequence[int] | None  # of each question, its place in `answers`
    table_rows: int
    notes: Sequence[str] = ()


def read_texts(path: Path, *, text: str, topic: str | None = None, answer: str | None = None) -> Texts:
    """The questions of a table.

    Args:
        path: the file; its suffix says what it is.
        text: the column of the questions.
        topic: the column of their topics.
        answer: the column of their answers.

    Raises:
        DataError: where the file is missing, of another format, or holds no question.
        UserError: where it has no such column; it names the option.
    """
    if not path.is_file():
        raise DataError("there is no such file", where=str(path), next_step=f"give a table of texts: {FORMATS}")
    wanted = {"--text": text, "--topic": topic, "--answer": answer}
    columns = {option: name for option, name in wanted.items() if name is not None}
    collected = _Collected()
    for number, row in enumerate(_rows(path)):
        if number == 0:
            _require(path, row, columns)
        collected.add(number, *(None if name is None else row.get(name) for name in (text, topic, answer)))
    if not collected.questions:
        raise DataError(
            f"the column {text!r} holds no text", where=str(path), next_step="name the column of the questions: --text"
        )
    return collected.texts(topics=topic is not None, answers=answer is not None)


class _Collected:
    """Rows as they come: each question once, answers once, and what was left out."""

    def __init__(self) -> None:
        self.questions: dict[str, int] = {}  # its row
        self.topics: list[str] = []
        self.answers: dict[str, int] = {}  # its place
        self.answer_rows: list[int] = []
        self.answer_of: list[int] = []
        self.table_rows = 0
        self._empty: dict[str, list[int]] = {"question": [], "topic": [], "answer": []}
        self._repeated: list[int] = []

    def add(self, number: int, question: Any, topic: Any, answer: Any) -> None:
        """Takes one row; missing and unwanted values are given as None."""
        self.table_rows = number + 1
        question, topic, answer = (_text(each) for each in (question, topic, answer))
        if not question:
            self._empty["question"].append(number)
        elif question in self.questions:
            self._repeated.append(number)
        else:
            self.questions[question] = number
            self.topics.append(topic)
            if answer not in self.answers:
                self.answers[answer] = len(self.answers)
                self.answer_rows.append(number)
            self.answer_of.append(self.answers[answer])

    def texts(self, *, topics: bool, answers: bool) -> Texts:
        """What was collected, without the questions that lack a topic or an answer where there should be one."""
        asked, rows = list(self.questions), list(self.questions.values())
        known = list(self.answers)
        kept = []
        for place, row in enumerate(rows):
            if topics and not self.topics[place]:
                self._empty["topic"].append(row)
            elif answers and not known[self.answer_of[place]]:
                self._empty["answer"].append(row)
            else:
                kept.append(place)
        used = sorted({self.answer_of[place] for place in kept}) if answers else []
        renumbered = {old: new for new, old in enumerate(used)}
        return Texts(
            questions=[asked[place] for place in kept],
            rows=[rows[place] for place in kept],
            topics=[self.topics[place] for place in kept] if topics else None,
            answers=[known[each] for each in used],
            answer_rows=[self.answer_rows[each] for each in used],
            answer_of=[renumbered[self.answer_of[place]] for place in kept] if answers else None,
            table_rows=self.table_rows,
            notes=tuple(self._notes()),
        )

    def _notes(self) -> Iterator[str]:
        for what, rows in self._empty.items():
            if rows:
                yield f"left out: {counted(len(rows), 'row')} without {_article(what)} ({_named(rows)})"
        if self._repeated:
            rows = self._repeated
            yield f"left out: {counted(len(rows), 'row')} that {_verb(rows)} an earlier question ({_named(rows)})"


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _article(what: str) -> str:
    return f"an {what}" if what == "answer" else f"a {what}"


def _verb(rows: Sequence[int]) -> str:
    return "repeats" if len(rows) == 1 else "repeat"


def _named(rows: Sequence[int]) -> str:
    """The first few, counted from 1 as a reader of the table does, without its header."""
    shown = ", ".join(str(row + 1) for row in rows[:_NAMED])
    return f"{'row' if len(rows) == 1 else 'rows'} {shown}{', …' if len(rows) > _NAMED else ''}"


def _require(path: Path, row: Mapping[str, Any], columns: Mapping[str, str]) -> None:
    for option, name in columns.items():
        if name not in row:
            known = [str(each) for each in row]
            hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
            raise UserError(f"{path} has no column {name!r}, which {option} names", next_step=hint)


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows as mappings.

    Raises:
        DataError: where the file is not what its suffix says.
    """
    suffix = path.suffix.lower()
    readers = {".csv": _csv, ".tsv": _csv, ".jsonl": _json_lines, ".ndjson": _json_lines, ".parquet": _parquet}
    if suffix not in readers:
        raise DataError(
            f"{suffix or 'a file without a suffix'} is not a table of texts",
            where=str(path),
            next_step=f"convert it to {FORMATS}",
        )
    try:
        yield from readers[suffix](path)
    except UnicodeDecodeError as problem:
        raise DataError(
            f"it is not UTF-8 ({problem.reason} at byte {problem.start})",
            where=str(path),
            next_step=f"convert it: iconv -f latin1 -t utf-8 {path.name}",
        ) from problem


def _csv(path: Path) -> Iterator[Mapping[str, Any]]:
    csv.field_size_limit(_LONGEST_FIELD)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        try:
            yield from reader
        except csv.Error as problem:
            raise DataError(str(problem), where=f"{path}:{reader.line_num}", next_step="correct this line") from problem


def _json_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as problem:
                raise DataError(
                    f"this line is not JSON ({problem})", where=f"{path}:{number}", next_step="one object for each line"
                ) from problem
            if not isinstance(row, dict):
                raise DataError(
                    "this line is not a JSON object", where=f"{path}:{number}", next_step="one object for each line"
                )
            yield row


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as problem:
        raise DataError(
            "reading Parquet needs pyarrow, which is not installed",
            where=str(path),
            next_step="pip install 'crossover-harness[heads]', or convert the table to CSV",
        ) from problem
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=4096):
                yield from batch.to_pylist()
    except (ArrowException, OSError, ValueError) as problem:
        raise DataError(
            f"it is not a Parquet file ({problem})", where=str(path), next_step="write it again"
        ) from problem
