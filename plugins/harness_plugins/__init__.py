"""The built-in plugins, written as a stranger would write them: each imports only the public names of `harness`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness_plugins.saved_students import load_student

__all__ = ["load_student"]


def __getattr__(name: str) -> Any:
    """Loads what is offered here when it is first asked for, so that importing a plugin imports no other."""
    if name not in __all__:
        raise AttributeError(f"module 'harness_plugins' has no attribute {name!r}")
    from harness_plugins import saved_students

    return getattr(saved_students, name)
