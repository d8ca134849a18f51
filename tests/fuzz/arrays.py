"""Hostile arrays and databases: archives, headers, views, paths and links that no writer makes."""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

import harness
from harness.cli.output import say
from harness_plugins import arrays, database
from harness_plugins.sources import DatabaseSource
from tests.fuzz.hostile import damaged
from tests.fuzz.judging import Target

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

WIDTH, HEADS = 4, 3
_DESCRIPTIONS = (
    "'|O'",
    "'|V8'",
    "'<M8[s]'",
    "'<m8[ns]'",
    "'<c8'",
    "'<f2'",
    "'>f8'",
    "'<f16'",
    "'|S5'",
    "'<U3'",
    "'|b1'",
    "'<i8'",
    "[('a', '<f4')]",
    "[('a', '<f4', (2,))]",
    "'<f4' * 10**9",
    "'V99999999999'",
    "__import__('os').system('touch executed')",
    "None",
    "1",
    "'x'",
    "[]",
)
_SHAPES = (
    "()",
    "(0,)",
    "(3, 4)",
    "(4,)",
    "(3, 4, 1)",
    "(10**12,)",
    "(1000000000000, 4)",
    "(99999999999999999999999, 4)",
    "(-1, 4)",
    "(3, -4)",
    "('a',)",
    "None",
    "(True, 4)",
    "(3.0, 4)",
    "(" + "1," * 70 + ")",
    "(((((1,),),),),)",
    "(0, 4000000000000000000)",
    "[3, 4]",
)
_PATHS: tuple[Any, ...] = (
    b"bytes",
    b"\x00\xff",
    None,
    5,
    1.5,
    "",
    " ",
    ".",
    "..",
    "/",
    "../outside.secret",
    "../../../../etc/passwd",
    "embeddings",
    "a\x00b",
    "x" * 300,
    "x/" * 2000,
    "loop",
    "loop/x.npy",
    "\udcff".encode("utf-8", "surrogatepass"),
    "\x1b[31m.npy",
    "embeddings/one.npy\n",
    "C:\\x\\y.npy",
    "link.npy",
    "fifo",
    "embeddings/" * 50 + "one.npy",
    "/dev/zero",
    "evil.npz",
    "lda.db",
)


_TABLES = ("multi_head_projections", "cluster_heads", "embeddings", "cluster_questions", "embedding_models")
_VALUES: tuple[Any, ...] = (
    *_PATHS,
    2**62,
    -1,
    0,
    float("inf"),
    b"x" * 8,
    b"\x00" * 4,
    "nan",
    "1e400",
    b"\xff" * 9,
    7,
    "\x1b[2J",
    "x" * 100_000,
)


def npy(random: Random) -> bytes:
    """One .npy file, honest or not."""
    if random.random() < 0.4:
        values: Any = random.choice(
            (
                np.ones((HEADS, WIDTH), np.float32),
                np.ones(WIDTH, np.float32),
                np.full((HEADS, WIDTH), np.nan),
                np.ones((HEADS, WIDTH), complex),
                np.ones((HEADS, WIDTH), np.float16),
                np.array([["a", "b"]]),
                np.array(["2026"], "M8[D]"),
                np.zeros((HEADS, WIDTH)),
                np.array(1.0),
                np.ones((HEADS, WIDTH), [("a", "f4")]),
                np.ones((0, 4)),
                np.full((HEADS, WIDTH), 1e300),
                np.ones((HEADS, WIDTH), "V8"),
                np.ones((HEADS, WIDTH), np.longdouble),
                np.ones((2, HEADS, WIDTH)),
                np.full(HEADS, 0.1),
                np.array("x"),
                np.array(1j),
                np.array([], "V0"),
            )
        )
        stream = io.BytesIO()
        np.save(stream, values)
        return stream.getvalue()
    order, shape = random.choice(("False", "True", "2")), random.choice(_SHAPES)
    head = f"{{'descr': {random.choice(_DESCRIPTIONS)}, 'fortran_order': {order}, 'shape': {shape}, }}"
    if random.random() < 0.1:
        head = random.choice(
            (
                "[" * 5000,
                "{" * 90 + "}" * 90,
                "{'a': 1}",
                "x" * 12000,
                "{'descr': '<f4'}",
                "\x00",
                "é",
                "-" * 9000 + "1",
            )
        )
    version = random.choice(((1, 0), (1, 0), (2, 0), (3, 0), (9, 9)))
    text = head.encode("utf-8") + b"\n"
    length = random.choice((len(text), len(text), len(text), 65535, 0, 2**31))
    size = struct.pack("<H", length & 0xFFFF) if version == (1, 0) else struct.pack("<I", length)
    return b"\x93NUMPY" + bytes(version) + size + text + random.randbytes(random.choice((0, 48, 96, 1000)))


def npz(random: Random) -> bytes:
    """An archive of heads, with some members exchanged."""
    stream = io.BytesIO()
    with zipfile.ZipFile(
        stream, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    ) as archive:
        names = {"centroids": (HEADS, WIDTH), "answers": (HEADS, WIDTH), "temperature": (), "queries": (5, WIDTH)}
        for name, shape in names.items():
            if random.random() < 0.25:
                archive.writestr(random.choice((f"{name}.npy", name)), npy(random))
            elif random.random() < 0.95:
                one = io.BytesIO()
                np.save(one, np.random.default_rng(random.randrange(99)).random(shape, np.float32) + 0.1)
                archive.writestr(f"{name}.npy", one.getvalue())
        for name in (
            "matrices",
            "matrix_heads",
            "train",
            "test",
            "query_heads",
            "../x",
            "",
            "\x1b[31m",
            "text",
            "queries",
        ):
            if random.random() < 0.1:
                archive.writestr(f"{name}.npy", npy(random) if random.random() < 0.8 else b"not an array")
        if random.random() < 0.08:
            header = io.BytesIO()
            np.lib.format.write_array_header_1_0(
                header, {"descr": "<f8", "fortran_order": False, "shape": (300_000_000,)}
            )
            name = random.choice(("unrelated.npy", "centroids.npy"))
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(header.getvalue())
                for _ in range(64):
                    member.write(bytes(2**20))
    data = bytearray(stream.getvalue())
    if random.random() < 0.1:  # marked as encrypted, and with another method of compression
        for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
            place = data.find(mark)
            data[place + offset + random.choice((0, 2))] = random.choice((1, 99))
    return bytes(data)


def write_array(random: Random, folder: Path) -> None:
    """heads.npz and queries.npy."""
    archive, one = npz(random), npy(random)
    if random.random() < 0.3:
        archive = damaged(random, archive)
    if random.random() < 0.3:
        one = damaged(random, one)
    if random.random() < 0.05:
        archive = one = random.choice(
            (
                b"",
                b"\x80\x04cos\nsystem\n(S'touch executed'\ntR.",
                b"PK",
                b"\x93NUMPY",
                zlib.compress(b"x"),
                b"PK\x05\x06" + bytes(18),
            )
        )
    (folder / "heads.npz").write_bytes(archive)
    (folder / "queries.npy").write_bytes(one)
    (folder / "queries.npz").write_bytes(npz(random))


def use_array(folder: Path, random: Random) -> None:
    """What the source `database` does with an archive, and with a file of queries."""
    _each(
        lambda: say(database.read(folder / "heads.npz", temperature=random.choice((None, 0.5))).notes),
        lambda: say(arrays.read_queries(folder / "queries.npy", width=WIDTH, heads=HEADS).notes),
        lambda: say(arrays.read_queries(folder / "queries.npz", width=WIDTH, heads=HEADS).notes),
        lambda: _load(
            folder,
            "heads.npz",
            random.choice((None, "queries.npy", "queries.npz", ".", "absent", "x" * 300, "/dev/zero")),
        ),
    )


def write_database(random: Random, folder: Path) -> None:
    """lda.db with its vectors, changed by statements and by damage."""
    generator = np.random.default_rng(random.randrange(2**32))
    heads = harness.Heads(
        centroids=generator.random((HEADS, WIDTH), np.float32) + np.float32(0.1),
        answers=generator.random((HEADS, WIDTH), np.float32),
        temperature=0.1,
    )
    path = folder / "lda.db"
    database.write_database(path, heads, "heads")
    (folder / "embeddings/one.npy").write_bytes(npy(random))
    (folder / "evil.npz").write_bytes(npz(random))
    (folder / "loop").symlink_to("loop")
    (folder.parent / f"{folder.name}.secret").write_bytes(npy(random))
    (folder / "link.npy").symlink_to(folder.parent / f"{folder.name}.secret")
    os.mkfifo(folder / "fifo")
    connection = sqlite3.connect(path)
    for vector in sorted((folder / "embeddings" / "lda").glob("*.npy")):
        if random.random() < 0.1:
            vector.write_bytes(npy(random))
    for number in range(4):
        connection.execute("INSERT INTO cluster_questions VALUES (?, ?)", (number, number))
        connection.execute(
            "INSERT INTO embeddings VALUES (NULL, 1, 'question', ?, ?)",
            (number, f"embeddings/lda/cluster_{1 + number % HEADS}_centroid.npy"),
        )
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        with contextlib.suppress(sqlite3.Error, OverflowError):
            _spoil(random, connection)
    if random.random() < 0.1:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'INTEGER', ?)",
            (random.choice(("X", "\x1b[31m", ")", "INTEGER CHECK (load_extension('x'))")),),
        )
    connection.commit()
    connection.close()
    if random.random() < 0.25:
        path.write_bytes(damaged(random, path.read_bytes()))
    if random.random() < 0.03:
        path.unlink()
        random.choice(
            (
                lambda: path.symlink_to(path),
                path.mkdir,
                lambda: os.mkfifo(path),
                lambda: path.write_bytes(b""),
            )
        )()


def _spoil(random: Random, connection: sqlite3.Connection) -> None:
    """One change to one table."""
    table = random.choice(_TABLES)
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    column, way = random.choice(columns or ["head_id"]), random.random()
    if way < 0.6:
        value = random.choice(_VALUES)
        where = "" if random.random() < 0.4 else f" WHERE rowid = (SELECT max(rowid) FROM {table})"
        given = "CAST(? AS TEXT)" if isinstance(value, bytes) and random.random() < 0.3 else "?"
        connection.execute(f"UPDATE {table} SET {column} = {given}{where}", (value,))
    elif way < 0.7:
        other = random.choice(("other", "weird x", "mh_id"))
        connection.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO '{other}'")
    elif way < 0.8:
        connection.execute(f"INSERT INTO {table} SELECT * FROM {table}")
    elif way < 0.9:
        connection.execute(f"DROP TABLE {table}")
        value, limit = random.choice((("n", ""), ("zeroblob(200000000)", " LIMIT 9")))  # endless, or large
        view = ", ".join(f"{value} AS {each}" for each in columns)
        rows = f"WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t{limit})"
        connection.execute(f"CREATE VIEW {table} AS {rows} SELECT {view} FROM t")
    else:
        connection.execute(f"DELETE FROM {table}")


def use_database(folder: Path, random: Random) -> None:
    """What the source `database` does with a database."""
    wanted = random.choice((None, None, None, 1, "heads", -1, "x" * 300, 2**70, "\x1b[31m"))
    _each(
        lambda: say(database.read(folder / "lda.db", wanted, random.choice((None, 0.5))).notes),
        lambda: _load(folder, "lda.db", None),
    )


def _load(folder: Path, path: str, queries: str | None) -> None:
    source = DatabaseSource().with_options({"path": path, "queries": queries})
    context = harness.SourceContext(folder=folder, cache=folder / "cache", seed=0)
    source.limit(context)
    say(source.load(None, context).provenance)


def _each(*calls: Any) -> None:
    """All of them, though the first is refused; the last refusal is raised."""
    refused = None
    for call in calls:
        try:
            call()
        except harness.HarnessError as error:
            refused = error
            say(f"error: {error}")
    if refused is not None:
        raise refused


ARRAYS = Target(name="arrays", write=write_array, use=use_array)
DATABASES = Target(name="databases", write=write_database, use=use_database)
