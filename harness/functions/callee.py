"""A function that another process finds again: by its file, by its module, or, of a notebook, by its pickled code."""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib
import importlib.util
import os
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import plain_file
from harness.errors import ContenderError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType


_LRU = type(functools.lru_cache(len))


@dataclass(frozen=True, kw_only=True)
class Callee:
    """A function by name or by value."""

    label: str  # as the user named it, for messages
    module: str = ""
    attribute: str = ""
    file: str = ""  # that the module is read from, whatever else has its name; empty where the import system decides
    digest: str = ""  # of that file, so that what is tried is what is timed
    pickled: str = ""  # base64, instead of a module
    path: tuple[str, ...] = ()  # folders that its imports are looked for in
    given: Mapping[str, Any] = field(default_factory=dict)  # what is named makes the function, of these arguments

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Callee:
        """The callee that `dataclasses.asdict` wrote."""
        return cls(**{**data, "path": tuple(data.get("path", ()))})

    @property
    def name(self) -> str:
        """Its own name, without its module."""
        return self.attribute.rpartition(".")[2] or self.label

    def load(self) -> Callable[..., Any]:
        """The function itself, in this process.

        Raises:
            ContenderError: where it is not there, is no function, or its file has changed meanwhile.
        """
        _extend(self.path)
        if self.pickled:
            import cloudpickle  # type: ignore[import-untyped, import-not-found, unused-ignore]

            loaded: Callable[..., Any] = cloudpickle.loads(base64.b64decode(self.pickled))
            return loaded
        try:
            module = _loaded(self.module, self.file, self.digest)
            found: Any = functools.reduce(getattr, self.attribute.split("."), module)
        except (ImportError, AttributeError) as error:
            hint = (
                "name it as module:function or file.py:function, and start in the folder that holds "
                f"{self.module}.py, or install it"
            )
            raise ContenderError(f"{self.label!r} cannot be imported: {error}", next_step=hint) from error
        if self.given:
            found = found(**self.given)
        if not callable(found):
            raise ContenderError(f"{self.label!r} is not callable")
        return found  # type: ignore[no-any-return]


def named(text: str, folder: Path | None = None) -> Callee:
    """The function that `module:function` or `file.py:function` names; nothing is imported.

    A file of the folder comes before a module of that name that Python has: `random:draw` is that of a `random.py` there.

    Raises:
        UserError: where the text names no function, or a file that is not there.
    """
    module, colon, attribute = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    if not (module and colon and attribute):
        raise UserError(f"{text!r} does not name a callable", next_step="write module:function")
    here = (folder or Path.cwd()).resolve()
    file = read_from(text, here)
    if module.endswith(".py") and file is not None:
        if not plain_file.is_there(file):
            raise UserError(f"{text!r}: there is no file {file}", next_step="write module:function or file.py:function")
        module = file.stem
    given: dict[str, Any] = {"file": str(file), "digest": _digest(file)} if file is not None else {}
    folders = tuple(dict.fromkeys([str(here), *([str(file.parent)] if file is not None and "." not in module else [])]))
    return Callee(label=text, module=module, attribute=attribute, path=folders, **given)


def read_from(text: str, folder: Path) -> Path | None:
    """The file that `file.py:function`, or `module:function` of a folder, is read from; None of a module elsewhere."""
    module = text.rpartition(":")[0]
    if module.endswith(".py"):
        return folder / module
    parts = module.split(".")
    if not all(parts) or os.sep in module:
        return None
    stem = folder.joinpath(*parts)
    return next(filter(plain_file.is_there, (stem.with_name(f"{stem.name}.py"), stem / "__init__.py")), None)


def as_callee(function: Callable[..., Any]) -> Callee:
    """A function object: named where its module can be imported elsewhere, else with its code.

    Raises:
        UserError: where it is no function, or its code cannot be pickled.
    """
    if not callable(function):
        raise UserError(f"{function!r} is not callable", next_step="pass functions, or name them as module:function")
    name = getattr(function, "__module__", None) or ""
    attribute = getattr(function, "__qualname__", "") or ""
    if home := _home(function):
        name, attribute = home, function.__name__
    label = f"{name}:{attribute}" if name and attribute else getattr(function, "__name__", type(function).__name__)
    path = tuple(dict.fromkeys(str(Path(each).resolve()) for each in sys.path if Path(each).is_dir()))
    module = sys.modules.get(name)
    if module is not None and name != "__main__" and attribute and "<" not in attribute:
        try:
            there: Any = functools.reduce(getattr, attribute.split("."), module)
            same = there is function or bool(home and there == function)
        except AttributeError:
            same = False
        if same:
            file = Path(getattr(module, "__file__", None) or "")
            given: dict[str, Any] = (
                {"file": str(file.resolve()), "digest": _digest(file)} if file.suffix == ".py" else {}
            )
            return Callee(label=label, module=name, attribute=attribute, path=path, **given)
    try:
        pickled = base64.b64encode(_pickled(function)).decode()
    except Exception as error:
        what = f"{label!r} cannot be sent to another process: {type(error).__name__}: {error}"
        raise UserError(what, next_step="define it in a module, and create what it holds inside of it") from error
    digest = hashlib.sha256(pickled.encode()).hexdigest()
    return Callee(
        label=label, attribute=attribute.replace("<lambda>", "lambda"), pickled=pickled, digest=digest, path=path
    )


def _home(function: Callable[..., Any]) -> str:
    """The module in which a method of a module's own object is a function, such as `random.random`; empty where it is none.

    With its code its object would be copied, the global generator, which is then not the one that is seeded.
    """
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    module = "" if owner is None or isinstance(owner, type) else type(owner).__module__
    return module if name and module in sys.modules and getattr(sys.modules[module], name, None) == function else ""


def _pickled(function: Callable[..., Any]) -> bytes:
    """A function with its code, those that `functools.lru_cache` has wrapped included."""
    import io

    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, found: Any) -> Any:
            named = getattr(
                sys.modules.get(getattr(found, "__module__", "") or ""), getattr(found, "__name__", ""), None
            )
            here = getattr(found, "__module__", "") != "__main__" and named is found
            if isinstance(found, _LRU) and not here:
                return _remembered, (found.cache_parameters(), found.__wrapped__)
            return super().reducer_override(found)

    written = io.BytesIO()
    Pickler(written).dump(function)
    return written.getvalue()


def _remembered(how: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    wrapped: Callable[..., Any] = functools.lru_cache(**how)(function)
    return wrapped


def _loaded(name: str, file: str, digest: str) -> ModuleType:
    """The module of this name, read from this file where one is given."""
    if not file:
        return importlib.import_module(name)
    place = Path(file)
    if digest and _digest(place) != digest:
        raise ContenderError(f"{file} has changed since the functions were tried", next_step="start the race again")
    if "." in name:
        module = importlib.import_module(name)
        if not _is(module, place):
            raise ContenderError(f"{name!r} is imported from {module.__file__}, not from {file}")
        return module
    known = sys.modules.get(name)
    if known is not None and _is(known, place):
        return known
    own = name
    if known is not None or name in sys.stdlib_module_names:  # Python's own module keeps its name
        own = f"_raced_{name}"
        if own in sys.modules and _is(sys.modules[own], place):
            return sys.modules[own]
    folders = [str(place.parent)] if place.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(own, place, submodule_search_locations=folders)
    if spec is None or spec.loader is None:
        raise ContenderError(f"{file} cannot be read as a module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[own] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[own]
        raise
    return module


def _is(module: ModuleType, file: Path) -> bool:
    """Whether a module was read from this file."""
    origin = getattr(module, "__file__", None)
    return origin is not None and Path(origin).resolve() == file.resolve()


def _extend(path: tuple[str, ...]) -> None:
    """Folders are looked in after Python's own modules and before what is installed, so that they shadow no library."""
    standard = {str(Path(sysconfig.get_path(each)).resolve()) for each in ("stdlib", "platstdlib")}
    known = [str(Path(each).resolve()) for each in sys.path]
    last = max((place for place, each in enumerate(known) if each in standard or "lib-dynload" in each), default=-1)
    sys.path[last + 1 : last + 1] = [each for each in path if each not in known]


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
