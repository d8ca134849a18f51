"""A plugin's digest changes with each of its files, whatever they are called and wherever they lie."""

from __future__ import annotations

import importlib
import sys

import pytest

from harness.measure import fingerprint
from harness.plugin import discovery


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on the path, and a function that installs a distribution there."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(entry: str, files: dict[str, str], *, editable: bool = False) -> str:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        info = tmp_path / "stranger-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[crossover_harness]\nmine = {entry}\n")
        listed = [] if editable else [*files, "../../bin/mine"]
        record = [*listed, "stranger-1.0.dist-info/METADATA"]
        (info / "RECORD").write_text("".join(f"{name},,\n" for name in record))
        importlib.invalidate_caches()
        return "stranger:mine"

    yield install
    for name in [name for name in sys.modules if name.partition(".")[0] in ("shared", "mine", "helpers")]:
        del sys.modules[name]


def digest(plugin: str) -> str:
    fingerprint.plugin_digest.cache_clear()
    fingerprint._digest.cache_clear()
    importlib.invalidate_caches()
    return fingerprint.plugin_digest(plugin)


def test_the_last_of_many_files_counts(site, tmp_path):
    files = {f"mine/part_{number:03}.py": "x = 1\n" for number in range(250)}
    plugin = site("mine", {"mine/__init__.py": "", **files})
    before = digest(plugin)
    (tmp_path / "mine" / "part_249.py").write_text("x = 2\n")
    assert digest(plugin) != before


def test_the_name_of_a_file_counts(site, tmp_path):
    plugin = site("mine", {"mine/__init__.py": "", "mine/one.py": "x = 1\n"}, editable=True)
    before = digest(plugin)
    (tmp_path / "mine" / "one.py").rename(tmp_path / "mine" / "other.py")
    assert digest(plugin) != before


def test_contents_that_moved_from_file_to_file_count(site, tmp_path):
    plugin = site("mine", {"mine/__init__.py": "", "mine/a.py": "ab", "mine/b.py": "c"}, editable=True)
    before = digest(plugin)
    (tmp_path / "mine" / "a.py").write_text("a")
    (tmp_path / "mine" / "b.py").write_text("bc")
    assert digest(plugin) != before


@pytest.mark.parametrize("entry", ["shared.mine", "shared.mine.plugin", "shared.deep.mine"])
@pytest.mark.parametrize("editable", [True, False])
def test_a_namespace_package_counts_with_what_is_its_own(site, tmp_path, entry, editable):
    folder = entry.removesuffix(".plugin").replace(".", "/")
    own = {f"{folder}/__init__.py": "", f"{folder}/plugin.py": "x = 1\n", f"{folder}/inner/part.py": "y = 1\n"}
    plugin = site(entry, own, editable=editable)
    (tmp_path / "shared" / "others").mkdir(parents=True, exist_ok=True)
    before = digest(plugin)
    (tmp_path / "shared" / "others" / "__init__.py").write_text("somebody else's\n")
    assert digest(plugin) == before
    (tmp_path / folder / "inner" / "part.py").write_text("y = 2\n")
    assert digest(plugin) != before


def test_a_module_alone_in_a_namespace_counts_with_its_folder(site, tmp_path):
    plugin = site("shared.mine", {"shared/mine.py": "x = 1\n", "shared/_helper.py": "y = 1\n"}, editable=True)
    known = {digest(plugin)}
    (tmp_path / "shared" / "mine.py").write_text("x = 2\n")
    known.add(digest(plugin))
    (tmp_path / "shared" / "_helper.py").write_text("y = 2\n")
    known.add(digest(plugin))
    assert len(known) == 3


def test_what_the_distribution_installs_beside_the_plugin_counts_and_its_data_too(site, tmp_path):
    plugin = site("mine", {"mine.py": "import helpers\n", "helpers/__init__.py": "x = 1\n", "helpers/w.bin": "1"})
    known = {digest(plugin)}
    (tmp_path / "helpers" / "__init__.py").write_text("x = 2\n")
    known.add(digest(plugin))
    (tmp_path / "helpers" / "w.bin").write_text("2")
    known.add(digest(plugin))
    assert len(known) == 3


def test_what_python_writes_beside_them_does_not_count(site, tmp_path):
    plugin = site("mine", {"mine/__init__.py": ""}, editable=True)
    before = digest(plugin)
    (tmp_path / "mine" / "__pycache__").mkdir()
    (tmp_path / "mine" / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"compiled")
    (tmp_path / "mine" / ".cache").write_text("hidden")
    assert digest(plugin) == before


def test_beyond_the_bound_size_and_time_stand_for_the_content(site, tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "_READ_BYTES", 8)
    plugin = site("mine", {"mine/__init__.py": "", "mine/a.py": "12345678", "mine/b.py": "1"}, editable=True)
    before = digest(plugin)
    (tmp_path / "mine" / "b.py").write_text("12")
    assert digest(plugin) != before


def test_a_local_file_and_a_built_in_have_digests_of_their_own(tmp_path):
    path = tmp_path / "local.py"
    path.write_text("x = 1\n")
    before = digest(discovery.file_identity(path))
    path.write_text("x = 2\n")
    assert digest(discovery.file_identity(path)) != before
    assert len({digest("harness_plugins.eager"), digest("harness"), before}) == 3
