from __future__ import annotations

import json

import pytest

from harness.commands import texts
from harness.errors import HarnessError


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_each_question_is_read_once_with_its_topic_and_answer(tmp_path):
    path = write(
        tmp_path, "q.csv", "question,topic,answer\nWhere?,place,here\nWhen?,time,now\nWhere?,place,here\n"
        ",place,here\nHow?,,so\nWho?,people,\nWhither?,place,here\n"
    )  # fmt: skip
    found = texts.read_texts(path, text="question", topic="topic", answer="answer")
    assert found.questions == ["Where?", "When?", "Whither?"]
    assert found.rows == [0, 1, 6]
    assert found.topics == ["place", "time", "place"]
    assert (found.answers, found.answer_of, found.answer_rows) == (["here", "now"], [0, 1, 0], [0, 1])
    assert found.table_rows == 7
    assert found.notes == (
        "left out: 1 row without a question (row 4)",
        "left out: 1 row without a topic (row 5)",
        "left out: 1 row without an answer (row 6)",
        "left out: 1 row that repeats an earlier question (row 3)",
    )


def test_the_formats_hold_the_same(tmp_path):
    rows = [{"q": "Was kostet „das“?", "t": 1}, {"q": "a\nb", "t": 2}]
    lines = write(tmp_path, "q.jsonl", "\n".join(json.dumps(row) for row in rows) + "\n\n")
    tabs = write(tmp_path, "q.tsv", 'q\tt\nWas kostet „das“?\t1\n"a\nb"\t2\n')
    for path in (lines, tabs):
        found = texts.read_texts(path, text="q", topic="t")
        assert (found.questions, found.topics, found.answers) == (["Was kostet „das“?", "a\nb"], ["1", "2"], [])


@pytest.mark.parametrize(
    ("content", "questions"),
    [
        ("question;topic\nHow much, please?;a\nx;b\n", ["How much, please?", "x"]),
        ("topic|question\na|x; y, z\n", ["x; y, z"]),
        ("topic\tquestion\r\n1\tx\r\n", ["x"]),
        (" question , topic \nx,a\n", ["x"]),
        ('question;topic\n"a; ""b""\nc";d\n\n"e"\n', ['a; "b"\nc']),
        ("question,topic,\nx,a,\ny,b,,\n", ["x", "y"]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_spreadsheets_separate_and_encode_as_they_like(tmp_path, content, questions, encoding):
    path = write(tmp_path, "q.csv", content.encode(encoding))
    assert texts.read_texts(path, text="question", topic="topic").questions == questions


def test_missing_values_are_no_texts_and_the_first_object_need_not_hold_all(tmp_path):
    lines = [
        '{"question": "x"}',
        '{"question": "y", "topic": 1}',
        '{"question": NaN, "topic": 2}',
        '{"question": "\\ud800", "topic": 2}',
    ]
    found = texts.read_texts(write(tmp_path, "q.jsonl", "\n".join(lines)), text="question", topic="topic")
    assert (found.questions, found.topics) == (["y", "\ufffd"], ["1", "2"])
    assert found.notes == (
        "left out: 1 row without a question (row 3)",
        "left out: 1 row without a topic (row 1)",
    )


def test_parquet_is_read_in_batches(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra [heads]")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"q": [f"text {row}" for row in range(5000)]}), tmp_path / "q.parquet")
    assert texts.read_texts(tmp_path / "q.parquet", text="q").questions[-1] == "text 4999"
    columns = {"q": ["a", None, "c"], "t": [1.0, 2.0, None]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "nulls.parquet")
    found = texts.read_texts(tmp_path / "nulls.parquet", text="q", topic="t")
    assert (found.questions, found.topics) == (["a"], ["1"])
    assert found.notes == ("left out: 1 row without a question (row 2)", "left out: 1 row without a topic (row 3)")


@pytest.mark.parametrize(
    ("name", "content", "options", "sentence"),
    [
        ("q.csv", "question\nx\n", {"topic": "Topic"}, "q.csv has no column 'Topic', which --topic names; choose from question"),
        ("q.csv", "question,topics\nx,y\n", {"topic": "topic"}, "which --topic names; did you mean 'topics'?"),
        ("q.csv", "text\nx\n", {}, "q.csv has no column 'question', which --text names; choose from text"),
        ("q.csv", "question,a\n,b\n", {}, "the column 'question' holds no text; name the column of the questions: --text"),
        ("q.csv", "question\n\n", {}, "q.csv: it has no rows; give a table with a row for each question"),
        ("q.csv", "", {}, "q.csv: it has no rows; give a table with a row for each question"),
        ("q.csv", "question\nx\n\xfc\n".encode("latin1"), {}, "q.csv:3: this line is not UTF-8; convert the file: iconv"),
        ("q.csv", "question,topic\nx,y\nHow much, please?,z\n", {}, "q.csv:3: this row has 3 fields, and the header 2; put"),
        ("q.csv", 'question,t\nx,y\n"a\nb,c\nd,e\n', {}, "q.csv:3: a quotation mark opens in this row and is never closed"),
        ("q.csv", 'question,t\n"x" or,y\n', {}, "q.csv:2: this row cannot be read ("),
        ("q.csv", "question,question\nx,y\n", {}, "q.csv:1: two columns are called 'question'; rename one"),
        ("q.jsonl", '{"question": {"text": "x"}}\n', {}, "q.jsonl: row 1 holds an object in the column that --text names"),
        ("q.jsonl", '{"question": "x", "t": ["a"]}\n', {"topic": "t"}, "row 1 holds a list in the column that --topic names"),
        ("q.jsonl", '{"question": "x"}\n{"question"\n', {}, "q.jsonl:2: this line is not JSON ("),
        ("q.jsonl", "[1]\n", {}, "q.jsonl:1: this line is not a JSON object; one object for each line"),
        ("q.txt", "x\n", {}, ".txt is not a table of texts; convert it to .csv, .tsv, .jsonl or .parquet"),
        ("gone.csv", None, {}, "there is no such file; give a table of texts"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_names_the_place_and_the_option(tmp_path, name, content, options, sentence):
    path = tmp_path / name if content is None else write(tmp_path, name, content)
    with pytest.raises(HarnessError) as caught:
        texts.read_texts(path, text="question", **options)
    assert sentence in str(caught.value)
