"""A table of texts: CSV, TSV, JSON Lines or Parquet, read row by row and checked before anything is embedded."""

from __future__ import annotations

import codecs
import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from harness.errors import DataError, UserError
from harness.units import counted
from harness.validation import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_LONGEST_FIELD = 2**24  # characters of one CSV field
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}  # of a CSV file, in words
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
        path: the file; its suffix gives the format.
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
    collected, known = _Collected(), dict[str, None]()  # all columns: the first object of JSON Lines may lack some
    for number, row in enumerate(_rows(path, text)):
        known.update(dict.fromkeys(row))
        values = [None if name is None else row.get(name) for name in (text, topic, answer)]
        _refuse_nested(path, number, dict(zip(wanted, values, strict=True)))
        collected.add(number, *values)
    if not collected.table_rows:
        raise DataError("it has no rows", where=str(path), next_step="give a table with a row for each question")
    _require(path, known, columns)
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
                yield f"left out: {counted(len(rows), 'row')} without {_article(what)} ({_row_numbers(rows)})"
        if self._repeated:
            rows = self._repeated
            yield f"left out: {counted(len(rows), 'row')} that {_verb(rows)} an earlier question ({_row_numbers(rows)})"


def _text(value: Any) -> str:
    """A value as text; missing values, which tables of numbers hold as NaN, are empty."""
    if isinstance(value, float):  # whole numbers of a column with gaps, whose gaps are NaN
        value = None if math.isnan(value) else int(value) if value.is_integer() else value
    text = "" if value is None else str(value).strip()
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a character, which JSON may hold and no file can
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _refuse_nested(path: Path, number: int, values: Mapping[str, Any]) -> None:
    """Refuses lists and objects in place of texts.

    Raises:
        DataError: it names the row and the option.
    """
    for option, value in values.items():
        if isinstance(value, Mapping | list):
            kind = "a list" if isinstance(value, list) else "an object"
            raise DataError(
                f"row {number + 1} holds {kind} in the column that {option} names, not a text",
                where=str(path),
                next_step="write its text into a column of its own",
            )


def _article(what: str) -> str:
    return f"an {what}" if what == "answer" else f"a {what}"


def _verb(rows: Sequence[int]) -> str:
    return "repeats" if len(rows) == 1 else "repeat"


def _row_numbers(rows: Sequence[int]) -> str:
    """The first few, counted from 1 as a reader of the table does, without its header."""
    shown = ", ".join(str(row + 1) for row in rows[:_NAMED])
    return f"{'row' if len(rows) == 1 else 'rows'} {shown}{', …' if len(rows) > _NAMED else ''}"


def _require(path: Path, row: Mapping[str, Any], columns: Mapping[str, str]) -> None:
    for option, name in columns.items():
        if name not in row:
            known = [str(each) for each in row]
            hint = suggestion(name, known)
            raise UserError(f"{path} has no column {name!r}, which {option} names", next_step=hint)


def _rows(path: Path, text: str) -> Iterator[Mapping[str, Any]]:
    """The rows as mappings; the column of the questions tells what separates the fields of a CSV file.

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
        yield from readers[suffix](path, text)
    except UnicodeError as problem:
        place = next((number for number, line in enumerate(_binary(path), start=1) if not _is_utf8(line)), 1)
        raise DataError(
            "this line is not UTF-8",
            where=f"{path}:{place}",
            next_step=f"convert the file: iconv -f windows-1252 -t utf-8 {path.name} > new{path.suffix}, if it is from Windows",
        ) from problem


def _binary(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _encoding(path: Path) -> str:
    """UTF-8, unless the file begins with the mark of UTF-16, as what spreadsheets call Unicode does."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def _csv(path: Path, text: str) -> Iterator[Mapping[str, Any]]:
    """The rows below the header, whatever separates their fields.

    Raises:
        DataError: where a line cannot be read as the header says.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    encoding, began = _encoding(path), 1
    try:
        with path.open(encoding=encoding, newline="") as file:
            delimiter = _delimiter(path, file, text)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            header = [name.strip() for name in next(reader, [])]
            if twice := [name for name in dict.fromkeys(header) if name and header.count(name) > 1]:
                raise DataError(f"two columns are called {twice[0]!r}", where=f"{path}:1", next_step="rename one")
            began = reader.line_num + 1
            for fields in reader:
                if any(fields[len(header) :]):
                    raise DataError(
                        f"this row has {len(fields)} fields, and the header {len(header)}",
                        where=f"{path}:{began}",
                        next_step=f"put texts that hold {_SEPARATORS[delimiter]} into quotation marks",
                    )
                if fields:
                    yield dict(zip(header, fields, strict=False))
                began = reader.line_num + 1
    except csv.Error as problem:
        what, step = f"this row cannot be read ({problem})", "write two quotation marks for one inside of a quoted text"
        if "end of data" in str(problem):
            what, step = "a quotation mark opens in this row and is never closed", "correct it"
        raise DataError(what, where=f"{path}:{began}", next_step=step) from problem


def _delimiter(path: Path, file: TextIO, text: str) -> str:
    """What separates the names in the header: that which makes the column of the questions one of them, if any does."""
    usual = "\t" if path.suffix.lower() == ".tsv" else ","
    line = file.readline()
    for delimiter in (usual, *_SEPARATORS):
        if text in [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]:
            return delimiter
    return max((usual, *_SEPARATORS), key=line.count)


def _json_lines(path: Path, text: str) -> Iterator[Mapping[str, Any]]:  # noqa: ARG001 - as the other readers
    with path.open(encoding=_encoding(path)) as file:
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


def _parquet(path: Path, text: str) -> Iterator[Mapping[str, Any]]:  # noqa: ARG001 - as the other readers
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
