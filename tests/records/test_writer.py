"""The run's folder: nothing written is ever lost, and whatever is wrong with it is said in a sentence."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness.errors import RecordsError, ResourceError
from harness.records import writer as module
from harness.records.crossovers import dump
from harness.records.reader import MEASUREMENTS, RUN
from harness.records.writer import Store, read
from harness.report import writing
from tests.synthetic import Maker

LOCKS = [".lock", ".owner"]


@pytest.fixture(scope="module")
def evidence():
    return Maker().table(launches=2).score("student", 18, mean_cosine=0.99).evidence()


@pytest.fixture
def folder(tmp_path, evidence):
    with Store.create(tmp_path / "run", evidence.run) as store:
        store.append(*evidence.measurements[:3])
        store.append(evidence.fidelities[0])
    return tmp_path / "run"


def test_what_is_written_is_read_back(folder, evidence):
    found = read(folder)
    assert found.run == evidence.run
    assert found.measurements == evidence.measurements[:3]
    assert found.fidelities == evidence.fidelities
    assert found.located == found.torn == ()


def test_a_record_is_on_the_disk_before_append_returns(tmp_path, evidence, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number)))
    with Store.create(tmp_path / "run", evidence.run) as store:
        synced.clear()
        store.append(evidence.measurements[0])
        folder, file = synced  # the name of the new file, then what is in it
        assert stat.S_ISDIR(folder.st_mode)
        assert file.st_size == (tmp_path / "run" / MEASUREMENTS).stat().st_size
        assert read(tmp_path / "run").measurements == evidence.measurements[:1]


@pytest.mark.parametrize("cut", [1, 7, 200])
def test_a_torn_last_line_is_left_out_and_told_and_cut_off_on_resume(folder, evidence, cut):
    path = folder / MEASUREMENTS
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut] if cut > 1 else whole[:-2])
    found = read(folder)
    assert found.measurements == evidence.measurements[:2]
    assert found.torn == (
        f"{path}:3: the last line was cut short and is left out; what it held will be measured again",
    )
    store, resumed = Store.resume(folder)
    with store:
        assert resumed.measurements == evidence.measurements[:2]
        store.append(evidence.measurements[3])
    assert read(folder).measurements == (*evidence.measurements[:2], evidence.measurements[3])
    assert read(folder).torn == ()


@pytest.mark.parametrize("name", [MEASUREMENTS, "fidelity.jsonl"])
def test_a_run_whose_records_are_links_is_not_resumed(folder, tmp_path, name):
    elsewhere = (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    with pytest.raises(RecordsError, match=f"{name}: the file is a link"):
        Store.resume(folder)
    assert elsewhere.read_bytes() == before


@pytest.mark.parametrize("name", LOCKS)
def test_nothing_is_written_where_a_link_in_a_run_leads(folder, evidence, tmp_path, name):
    mine = tmp_path / "mine"
    mine.write_text("years of work")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(mine)
    with pytest.raises(RecordsError, match=f"{name}: the file is a link, .* overwritten; remove it, then resume"):
        Store.resume(folder)
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (fresh / name).symlink_to(mine)
    with pytest.raises((RecordsError, ResourceError)) if name == ".lock" else contextlib.nullcontext():
        Store.create(fresh, evidence.run).close()
    assert mine.read_text() == "years of work"


@pytest.mark.parametrize("name", [MEASUREMENTS, "fidelity.jsonl", *LOCKS])
def test_what_has_another_name_too_stays_as_it_is_there(folder, evidence, tmp_path, name):
    path, other = folder / name, tmp_path / "backup"
    if name not in LOCKS:
        path.write_bytes(path.read_bytes()[:-1] + b"\n" + b"half a line")
    else:
        path.write_text("4711")
    os.link(path, other)
    before = other.read_bytes()
    store, _ = Store.resume(folder)
    with store:
        store.append(evidence.measurements[3])
        os.link(folder / MEASUREMENTS, tmp_path / "another")
        told = (tmp_path / "another").read_bytes()
        store.append(evidence.measurements[4])
    assert other.read_bytes() == before
    assert (tmp_path / "another").read_bytes() == told
    assert read(folder).measurements == evidence.measurements[:5]


def test_a_whole_last_line_without_its_newline_is_kept(folder, evidence):
    path = folder / MEASUREMENTS
    path.write_bytes(path.read_bytes()[:-1])
    store, _ = Store.resume(folder)
    with store:
        store.append(evidence.measurements[3])
    assert read(folder).measurements == evidence.measurements[:4]


def test_damage_in_the_middle_names_the_line(folder):
    path = folder / MEASUREMENTS
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"half": \n' + lines[2])
    with pytest.raises(RecordsError, match=r"measurements.jsonl:2: the line is damaged: .*; restore or remove it"):
        read(folder)


def test_a_line_that_is_no_record_names_the_line_and_the_field(folder):
    path = folder / MEASUREMENTS
    path.write_bytes(path.read_bytes() + b'{"contender": "x"}\n')
    with pytest.raises(RecordsError, match=r"measurements.jsonl:4: the line is not a record: key: Field required"):
        read(folder)


def test_records_of_a_newer_version_are_refused(folder):
    path = folder / RUN
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 9'))
    with pytest.raises(RecordsError) as caught:
        read(folder)
    assert str(caught.value) == (
        f"{path}: its schema version is 9, and this harness reads 1; read it with the newer harness that wrote it"
    )


def test_keys_of_a_newer_minor_version_are_passed_over(folder):
    path = folder / MEASUREMENTS
    path.write_bytes(path.read_bytes().replace(b'{"schema_version":1,', b'{"schema_version":1,"later":2,'))
    assert len(read(folder).measurements) == 3


def test_a_folder_that_is_not_a_run_is_told(tmp_path):
    with pytest.raises(
        RecordsError, match=r"this is not a run's folder: it has no run.json; name a folder below results/"
    ):
        read(tmp_path)
    with pytest.raises(RecordsError, match="there is no such folder; name the folder that a run has written"):
        read(tmp_path / "nowhere")


def test_a_used_folder_is_refused(folder, evidence, tmp_path):
    with pytest.raises(RecordsError, match=r"there is a run in this folder already; .* continue it with --resume"):
        Store.create(folder, evidence.run)
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    with pytest.raises(RecordsError, match=r"the folder is not empty: it holds thesis.tex; name another folder"):
        Store.create(other, evidence.run)


def test_two_runs_exclude_each_other_and_the_second_is_told_whose_it_is(folder):
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from harness.errors import RecordsError
        from harness.records.writer import Store
        try:
            Store.resume(Path(sys.argv[1]))
        except RecordsError as error:
            print(error)
    """)
    store, _ = Store.resume(folder)
    with store:
        told = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == (
        f"{folder}: another run is writing into this folder, process {os.getpid()}; "
        "wait for it, or name another folder with --output"
    )
    free = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True)
    assert free.stdout == ""


def test_a_full_disk_leaves_no_half_line_behind(folder, evidence, monkeypatch):
    store, _ = Store.resume(folder)
    before = (folder / MEASUREMENTS).read_bytes()
    with store:
        file = store._file(MEASUREMENTS)

        class Full:
            seek, truncate, fileno = file.seek, file.truncate, file.fileno
            room = 40

            def write(self, data):
                if not self.room:
                    raise OSError(errno.ENOSPC, "No space left on device")
                file.write(data[: self.room])
                written, self.room = self.room, 0
                return written

            def close(self):
                file.close()

        store._files[MEASUREMENTS] = Full()
        with pytest.raises(ResourceError) as caught:
            store.append(evidence.measurements[3])
        assert str(caught.value) == (
            f"{folder}: the disk is full; make room; everything recorded so far is kept: continue with --resume"
        )
    assert (folder / MEASUREMENTS).read_bytes() == before


def test_a_folder_that_vanishes_is_told(tmp_path, evidence):
    with Store.create(tmp_path / "run", evidence.run) as store:
        store.append(evidence.measurements[0])
        (tmp_path / "run").rename(tmp_path / "moved")
        with pytest.raises(ResourceError, match="the folder of the records vanished while it was in use"):
            store.append(evidence.measurements[1])
    assert read(tmp_path / "moved").measurements == evidence.measurements[:1]


def replaced_by_a_copy(path, content):
    copy = path.with_name("copy")
    copy.write_bytes(content)
    copy.replace(path)


def written_over(path, content):
    path.write_bytes(content)


@pytest.mark.parametrize("how", [replaced_by_a_copy, written_over])
@pytest.mark.parametrize("edit", ["earlier", "empty", "torn", "without its end", "laid out anew", "more"])
def test_a_file_that_is_replaced_during_a_run_loses_nothing(tmp_path, evidence, how, edit):
    folder = tmp_path / "run"
    path = folder / MEASUREMENTS
    with Store.create(folder, evidence.run) as store:
        store.append(*evidence.measurements[:3])
        first = path.read_bytes()
        extra = evidence.measurements[5].model_dump_json().encode() + b"\n"
        content = {
            "earlier": first.splitlines(keepends=True)[0], "empty": b"", "torn": first[:-40],
            "without its end": first[:-1], "laid out anew": first.replace(b'":', b'": ').replace(b"\n", b"\r\n"),
            "more": first + extra,
        }[edit]  # fmt: skip
        store.append(evidence.measurements[3])
        how(path, content)
        store.append(evidence.measurements[4])
        how(path, content)
        store.restore()
    wanted = {each.visit: each for each in evidence.measurements[: 6 if edit == "more" else 5]}
    assert {each.visit for each in read(folder).measurements} == set(wanted)
    assert len(read(folder).measurements) == (6 if edit == "more" else 5)
    assert read(folder).torn == ()


def test_a_file_that_is_removed_during_a_run_is_written_again(tmp_path, evidence):
    with Store.create(tmp_path / "run", evidence.run) as store:
        store.append(*evidence.measurements[:2])
        (tmp_path / "run" / MEASUREMENTS).unlink()
        store.append(evidence.measurements[2])
    assert read(tmp_path / "run").measurements == evidence.measurements[:3]


def in_place_of(path, kind, outside):
    path.rename(path.with_name("gone"))
    {
        "a link": lambda: path.symlink_to(outside), "a link to itself": lambda: path.symlink_to(path.name),
        "a pipe": lambda: os.mkfifo(path), "a folder": path.mkdir,
    }[kind]()  # fmt: skip


@pytest.mark.parametrize("kind", ["a link", "a link to itself", "a pipe", "a folder"])
def test_what_is_no_file_is_set_aside_and_nothing_is_lost_or_written_where_a_link_leads(tmp_path, evidence, kind):
    path, outside = tmp_path / "run" / MEASUREMENTS, tmp_path / "outside"
    outside.write_bytes(b"mine\n")
    with Store.create(tmp_path / "run", evidence.run) as store:
        store.append(*evidence.measurements[:2])
        in_place_of(path, kind, outside)
        store.append(evidence.measurements[2])
    assert read(tmp_path / "run").measurements == evidence.measurements[:3]
    assert outside.read_bytes() == b"mine\n"
    assert os.path.lexists(f"{path}.aside")


@pytest.mark.parametrize("kind", ["a link", "a pipe", "a folder"])
def test_a_run_is_not_continued_into_what_is_no_file(folder, tmp_path, kind):
    in_place_of(folder / MEASUREMENTS, kind, tmp_path)
    with pytest.raises(RecordsError, match="put the file itself in its place, then resume"):
        Store.resume(folder)


def test_what_could_not_be_put_back_at_once_is_put_back_later(tmp_path, evidence, monkeypatch):
    path = tmp_path / "run" / MEASUREMENTS

    def full(file, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with Store.create(tmp_path / "run", evidence.run) as store:
        store.append(*evidence.measurements[:3])
        replaced_by_a_copy(path, b"")
        for name, refused in (("_write_at_end", full), ("_set_aside", lambda path: full(path, b""))):
            with monkeypatch.context() as patch:
                patch.setattr(module, name, refused)
                with pytest.raises(ResourceError, match="the disk is full"):
                    store.restore()
    assert read(tmp_path / "run").measurements == evidence.measurements[:3]


def test_what_a_resumed_run_found_is_put_back_too(folder, evidence):
    store, _ = Store.resume(folder)
    with store:
        store.append(evidence.measurements[3])
        replaced_by_a_copy(folder / MEASUREMENTS, b"")
    assert read(folder).measurements == evidence.measurements[:4]


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.EROFS, "the records cannot be written: the file system is read-only; name another folder with --output"),
        (errno.EACCES, "the records cannot be written: permission denied; name another folder with --output"),
        (errno.EIO, "the disk failed while the records were written"),
        (errno.EFBIG, "a file of the records would be larger than this process may write"),
        (errno.ENOTCONN, "the records cannot be written: "),
    ],
)
def test_what_the_system_says_becomes_a_sentence(tmp_path, evidence, monkeypatch, number, sentence):
    def refuse(*arguments, **more):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module.tempfile, "mkstemp", refuse)
    with pytest.raises(ResourceError, match=sentence):
        Store.create(tmp_path / "run", evidence.run)


def test_a_path_that_is_a_file_is_told(tmp_path, evidence):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="the path of the records is a file, not a folder"):
        Store.create(tmp_path / "file", evidence.run)


def test_files_are_replaced_whole(folder, monkeypatch):
    store, _ = Store.resume(folder)
    with store:
        store.write("report.md", "old")

        def die(source, target):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(module.Path, "replace", die)
        with pytest.raises(ResourceError, match="the disk is full"):
            store.write("report.md", "new")
    assert (folder / "report.md").read_text() == "old"
    assert not [each for each in folder.iterdir() if each.name.startswith(".report")]


def test_a_file_and_its_name_are_on_the_disk_when_it_is_said_to_be_written(folder, evidence, monkeypatch):
    events = []
    replace, sync = Path.replace, os.fsync

    def synced(handle):
        events.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        sync(handle)

    def replaced(self, target):
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(module.Path, "replace", replaced)
    module.write_atomically(folder / "report.md", "new")
    assert events == ["file", "rename", "folder"]
    (folder / MEASUREMENTS).unlink()
    store, _ = Store.resume(folder)
    events.clear()
    with store:
        store.append(evidence.measurements[0])
    assert events == ["folder", "file"]


def test_what_a_killed_run_left_of_its_reports_is_removed(folder):
    left = [".report.html.abc", ".report.json.abc", ".report.md.abc", ".dispatch.json.abc", ".crossovers.json.abc"]
    for name in left:
        (folder / name).write_text("half")
    Store.resume(folder)[0].close()
    assert not [name for name in left if (folder / name).exists()]


def test_a_full_disk_while_reports_are_written_is_told_and_spoils_nothing(tmp_path, monkeypatch):
    maker = Maker().table(launches=2).searches()
    path = tmp_path / "run"
    with Store.create(path, maker.evidence(path).run) as store:
        store.append(*maker.measurements)
        store.write(module.LOCATED, dump(maker.located))
    writing.write(path)
    before = {each.name: each.read_bytes() for each in path.iterdir() if not each.name.startswith(".")}
    replace = Path.replace

    for name in ("report.md", "report.json", "report.html", "dispatch.json"):
        refused = []

        def full(self, target, name=name, refused=refused):
            if Path(target).name == name:
                refused.append(name)
                raise OSError(errno.ENOSPC, "No space left on device")
            return replace(self, target)

        monkeypatch.setattr(module.Path, "replace", full)
        with pytest.raises(ResourceError, match="the disk is full; make room; everything recorded so far is kept"):
            writing.write(path)
        assert refused == [name]
        assert {each.name: each.read_bytes() for each in path.iterdir() if not each.name.startswith(".")} == before


def test_killed_at_any_moment_loses_nothing_finished(tmp_path):
    """A child appends and is killed; whatever it was told to be written is there."""
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from harness.records.writer import Store
        from tests.synthetic import Maker
        evidence = Maker().table(launches=1).evidence()
        store = Store.create(Path(sys.argv[1]), evidence.run)
        while True:
            for record in evidence.measurements:
                store.append(record)
                print("x", end="", flush=True)
    """)
    for attempt in range(2):
        folder = tmp_path / str(attempt)
        child = subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        told = len(child.stdout.read(50 + 137 * attempt))
        child.kill()
        told += len(child.stdout.read())
        child.wait()
        store, evidence = Store.resume(folder)
        store.close()
        assert told <= len(evidence.measurements) <= told + 1
