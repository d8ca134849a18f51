from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import harness
from harness.errors import OfferError
from harness.plugin import discovery
from harness.plugin.events import RunStarted
from harness.plugin.manager import BUILT_IN, Catalog, available

PROJECTOR = """
import harness

class Mine(harness.Projector):
    "A projector of mine."
    name = {name!r}
    forms = ("numpy",)

    def build(self, heads, context):
        return lambda batch: batch

@harness.hookimpl
def harness_projectors():
    return [Mine()]
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Installs distributions: a folder on the path with modules and their metadata."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def install(name: str, module: str, code: str, entry: str | None = None, version: str = "1.0") -> None:
        (folder / f"{module}.py").write_text(code)
        info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[crossover_harness]\n{entry or module} = {module}\n")
        sys.modules.pop(module, None)

    return install


def load(**arguments) -> Catalog:
    return Catalog.load(**arguments, without=BUILT_IN)


def sentences(catalog: Catalog) -> list[str]:
    return [str(failure) for failure in catalog.failures]


# -------------------------------------------------------------------------------------------------------- built-ins


def test_every_built_in_module_with_hooks_is_listed_and_loads():
    root = Path(__file__).parents[2] / "plugins" / "harness_plugins"
    with_hooks = {
        f"harness_plugins.{path.stem}"
        for path in root.glob("*.py")
        if "@harness.hookimpl" in path.read_text(encoding="utf-8")
    }
    assert with_hooks == set(BUILT_IN)
    catalog = Catalog.load(only=BUILT_IN)
    assert sentences(catalog) == []
    useful = {offered.origin.plugin for offered in catalog.offers} | {each.plugin for each in catalog.trackers()}
    assert useful == set(BUILT_IN)


def test_built_ins_use_the_public_names_only():
    root = Path(__file__).parents[2] / "plugins" / "harness_plugins"
    for path in root.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [each.name for each in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            assert not [name for name in modules if name.startswith("harness.")], path


def test_only_the_plugins_that_are_asked_for_are_imported(site):
    site("a-plugin", "plugin_not_wanted", "raise RuntimeError")
    catalog = Catalog.load(only=["harness_plugins.python"])
    assert [offered.name for offered in catalog.offers] == ["python"]
    assert "plugin_not_wanted" not in sys.modules


def test_each_plugin_is_announced_before_it_is_imported(site):
    site("a-plugin", "plugin_announced", PROJECTOR.format(name="announced"))
    told = []
    load(announce=lambda plugin, action: told.append((plugin, action, "plugin_announced" in sys.modules)))
    assert told == [
        ("a-plugin:plugin_announced", "was imported", False),
        ("a-plugin:plugin_announced", "was asked for its offers", True),
    ]


# ------------------------------------------------------------------------------------------------- installed and local


def test_an_installed_plugin_offers_with_its_origin(site):
    site("a-plugin", "plugin_good", PROJECTOR.format(name="good"), version="2.3")
    catalog = load()
    (offered,) = catalog.offers
    assert (offered.kind, offered.name, offered.offer.description) == ("projector", "good", "A projector of mine.")
    assert (offered.origin.distribution, offered.origin.version, offered.origin.entry_point) == (
        "a-plugin",
        "2.3",
        "plugin_good",
    )
    assert catalog.get("projector", "good") is offered.offer


def test_a_local_file_is_a_plugin_under_a_stable_module_name(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PROJECTOR.format(name="local"))
    first, second = (load(plugin_files=[path]).get("projector", "local") for _ in range(2))
    assert type(first).__module__ == type(second).__module__
    assert type(first).__module__.startswith("harness_local_mine_")
    assert sys.modules[type(second).__module__].__file__ == str(path)


def test_catalogs_share_nothing(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PROJECTOR.format(name="local"))
    load(plugin_files=[path])
    assert load().offers == ()


# ----------------------------------------------------------------------------------------------------- hostile plugins

CLASS = """
import harness
class P(harness.Projector):
    {body}
    def {method}(self, heads, context): ...
@harness.hookimpl
def harness_projectors(): return [{returned}]
"""
HOOK = "import harness\n@harness.hookimpl\ndef {signature}: {body}\n"
UNUSABLE = CLASS.format(body="pass", method="build", returned="P()")
BAD = {
    "broken import": (
        "import no_such_library",
        "it cannot be imported: ModuleNotFoundError: No module named 'no_such_library' ({path}:1)",
    ),
    "syntax": ("def (", "it cannot be imported: SyntaxError: invalid syntax ({file}, line 1)"),
    "exit": ("import sys; sys.exit(3)", "it called sys.exit(3) while it was imported"),
    "raising hook": (
        HOOK.format(signature="harness_projectors()", body="raise ValueError('no')"),
        "harness_projectors raised ValueError: no ({path}:3)",
    ),
    "exiting hook": (
        HOOK.format(signature="harness_projectors()", body="raise SystemExit(1)"),
        "harness_projectors raised SystemExit: 1 ({path}:3)",
    ),
    "misspelt hook": (
        HOOK.format(signature="harness_projector()", body="return []"),
        "it implements the hook 'harness_projector', which does not exist; did you mean 'harness_projectors'?",
    ),
    "argument that no hook gives": (
        HOOK.format(signature="harness_projectors(config)", body="return []"),
        "its hooks cannot be registered: PluginValidationError: Plugin 'file:{path}' for hook 'harness_projectors'",
    ),
    "wrong type": (
        HOOK.format(signature="harness_projectors()", body="return ['lda']"),
        "harness_projectors returned str, which is not a harness.Projector",
    ),
    "no list": (
        HOOK.format(signature="harness_projectors()", body="return 3"),
        "harness_projectors raised TypeError: 'int' object is not iterable",
    ),
    "class": (
        CLASS.format(body="name = 'p'", method="build", returned="P"),
        "harness_projectors returned the class P; return an instance, P()",
    ),
    "abstract": (
        CLASS.format(body="name = 'p'", method="biuld", returned="P()"),
        "harness_projectors raised TypeError: Can't instantiate abstract class P",
    ),
    "no name": (UNUSABLE, "harness_projectors returned P, whose `name` is None; give it a name without blanks"),
    "wrong options": (
        CLASS.format(body="name = 'p'; Options = dict", method="build", returned="P()"),
        "the projector 'p' has an `Options` that is not a pydantic model; derive it from harness.Options",
    ),
    "wrong forms": (
        CLASS.format(body="name = 'p'; forms = ('onnx',)", method="build", returned="P()"),
        "the projector 'p' has forms = ('onnx',); it takes a tuple of 'module' and 'numpy'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_plugin_is_reported_and_spoils_no_other(case, tmp_path):
    code, sentence = BAD[case]
    bad, good = tmp_path / "bad.py", tmp_path / "good.py"
    bad.write_text(code)
    good.write_text(PROJECTOR.format(name="good"))
    catalog = load(plugin_files=[bad, good])
    assert [offered.name for offered in catalog.offers] == ["good"]
    assert sentences(catalog)[0].startswith(f"{bad}: {sentence.format(path=bad, file=bad.name)}")
    assert len(catalog.failures) == 1
    assert catalog.failures[0].plugin == f"file:{bad}"


def test_a_hook_without_its_marker_is_told(tmp_path):
    path = tmp_path / "bare.py"
    path.write_text("def harness_projectors(): return []")
    assert load(plugin_files=[path]).warnings == (
        f"{path} defines harness_projectors without @harness.hookimpl, so it is never called",
        f"{path} implements no hook, so it offers nothing",
    )


def test_a_plugin_keeps_the_hooks_that_work(tmp_path):
    path = tmp_path / "half.py"
    path.write_text(
        PROJECTOR.format(name="half") + "\n@harness.hookimpl\ndef harness_runtimes(): raise OSError('gone')\n"
    )
    catalog = load(plugin_files=[path])
    assert [offered.name for offered in catalog.offers] == ["half"]
    assert [failure.stage for failure in catalog.failures] == ["hooks"]


def test_an_old_plugin_that_takes_fewer_arguments_is_served(tmp_path):
    path = tmp_path / "old.py"
    path.write_text("import harness\ncalls = []\n@harness.hookimpl\ndef harness_run_started(): calls.append(1)")
    catalog = load(plugin_files=[path])
    assert [tracker.plugin for tracker in catalog.trackers()] == [f"file:{path}"]
    assert catalog.notify("harness_run_started", run=RunStarted(suite="s", folder=str(tmp_path))) == []


# ---------------------------------------------------------------------------------------------------------- collisions


def test_the_first_offer_keeps_a_name_and_the_second_is_reported_with_both_origins(site, tmp_path):
    site("a-plugin", "plugin_first", PROJECTOR.format(name="same"))
    site("b-plugin", "plugin_second", PROJECTOR.format(name="same"))
    catalog = load()
    assert catalog.origin("projector", "same").distribution == "a-plugin"
    assert sentences(catalog) == [
        (
            "b-plugin 1.0 (plugin_second = plugin_second): its projector 'same' is not used: "
            "a-plugin 1.0 (plugin_first = plugin_first) already offers that name; rename one of them"
        )
    ]


def test_a_built_in_keeps_its_name(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PROJECTOR.format(name="lda"))
    catalog = Catalog.load([path], only=["harness_plugins.lda", f"file:{path}"])
    assert catalog.origin("projector", "lda").plugin == "harness_plugins.lda"
    assert "built-in harness_plugins.lda already offers that name" in sentences(catalog)[0]


def test_one_distribution_under_two_spellings_is_one(site):
    site("a-plugin", "plugin_one", PROJECTOR.format(name="one"), entry="main")
    site("A_Plugin", "plugin_one", PROJECTOR.format(name="one"), entry="main", version="0.9")
    catalog = load()
    assert [offered.name for offered in catalog.offers] == ["one"]
    assert (catalog.failures, catalog.warnings) == ((), ())


def test_two_distributions_may_use_one_entry_point_name(site):
    site("a-plugin", "plugin_one", PROJECTOR.format(name="one"), entry="main")
    site("b-plugin", "plugin_two", PROJECTOR.format(name="two"), entry="main")
    catalog = load()
    assert [offered.origin.plugin for offered in catalog.offers] == ["a-plugin:main", "b-plugin:main"]
    assert catalog.warnings == ("the entry point 'main' is declared by a-plugin and b-plugin; both are loaded",)


# ------------------------------------------------------------------------------------------------------- names, extras


def test_an_unknown_name_says_what_is_near():
    catalog = Catalog.load(only=["harness_plugins.onnxruntime"])
    with pytest.raises(OfferError, match=r"^no runtime 'onnxrutime'; did you mean 'onnxruntime'\?$"):
        catalog.get("runtime", "onnxrutime")


def test_an_unknown_name_says_which_plugins_failed(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("raise OSError('no license')")
    with pytest.raises(OfferError) as caught:
        load(plugin_files=[path]).get("runtime", "quantum")
    assert str(caught.value) == (
        "no runtime 'quantum'; it may belong to a plugin that failed to load: "
        f"{path}: it cannot be imported: OSError: no license ({path}:1)"
    )


def test_an_offer_that_lacks_its_extra_names_the_command():
    class Needy(harness.Runtime):
        name = "needy"
        requires = {"no_such_library": "no-such-library>=2", "numpy": "numpy"}  # noqa: RUF012 - as plugins write it

        def export(self, projection, example, folder, context): ...

        def load(self, folder, context): ...

    found = available(Needy())
    assert (found.here, found.missing, found.command) == (
        False,
        ("no_such_library",),
        "pip install 'no-such-library>=2'",
    )


def test_versions_are_collected_and_a_plugin_that_raises_is_named(tmp_path):
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text("import harness\n@harness.hookimpl\ndef harness_versions(): return {'engine': 3}")
    bad.write_text("import harness\n@harness.hookimpl\ndef harness_versions(): raise OSError('gone')")
    assert load(plugin_files=[bad, good]).versions() == {
        "engine": "3",
        f"versions of {bad}": f"unknown: OSError: gone ({bad}:3)",
    }


# ---------------------------------------------------------------------------------------------------- notifications


def test_a_tracker_that_raises_is_reported_and_the_others_are_told(tmp_path):
    bad, good = tmp_path / "bad.py", tmp_path / "good.py"
    bad.write_text("import harness\n@harness.hookimpl\ndef harness_run_started(run): raise OSError('no server')")
    good.write_text(
        "import harness\nheard = []\n@harness.hookimpl\ndef harness_run_started(run): heard.append(run.suite)"
    )
    catalog = load(plugin_files=[bad, good])
    failures = catalog.notify("harness_run_started", run=RunStarted(suite="s", folder=str(tmp_path)))
    assert [str(each) for each in failures] == [f"{bad}: harness_run_started raised OSError: no server ({bad}:3)"]
    modules = [each for name, each in sys.modules.items() if name.startswith("harness_local_good")]
    (heard,) = [module.heard for module in modules if module.__file__ == str(good)]
    assert heard == ["s"]


def test_the_entry_points_of_distributions_are_read_once_and_again_after_an_installation(site, monkeypatch):
    parsed = []
    honest = discovery.entry_points

    def counted(**which):
        parsed.append(1)
        return honest(**which)

    monkeypatch.setattr(discovery, "entry_points", counted)
    discovery.declared()
    discovery.declared()
    assert len(parsed) == 1
    site("later", "later_plugin", PROJECTOR.format(name="later"))
    assert "later" in {each.distribution for each in discovery.declared()}
    assert len(parsed) == 2
