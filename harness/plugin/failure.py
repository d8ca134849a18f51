"""Why a plugin cannot be used, as children send it and reports print it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class PluginFailure(BaseModel):
    """A plugin, or a part of one, that cannot be used; everything else goes on."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    plugin: str
    label: str
    stage: str  # import, hooks, offers, versions, notification
    what: str
    output: tuple[str, ...] = ()  # its traceback, or the end of what it printed

    def __str__(self) -> str:
        return f"{self.label}: {self.what}"
