"""The command line, called in this process: Python and the libraries are started once for all tests, and not by each."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

from harness import cli


def called(*arguments: object, cwd: Path | None = None, env: dict[str, str] | None = None):
    """What a command prints, and its exit code; the children that it starts are real."""
    words = [str(each) for each in arguments]
    out, errors = io.StringIO(), io.StringIO()
    before = signal.getsignal(signal.SIGTERM)
    code: object = None
    with (
        mock.patch.object(sys, "argv", ["harness", *words]),
        mock.patch.dict(os.environ, env or {}),
        contextlib.chdir(cwd or Path.cwd()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
    ):
        try:
            cli.main()
        except SystemExit as left:
            code = left.code
        finally:
            signal.signal(signal.SIGTERM, before)
    return subprocess.CompletedProcess(words, code or 0, out.getvalue(), errors.getvalue())
