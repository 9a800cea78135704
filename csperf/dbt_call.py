"""Calling dbt: a process of its own, so that it leaves no lock on the warehouse and no memory behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from csperf.errors import CsperfError
from csperf.progress import Progress, silent
from csperf.settings import PROJECT_ROOT, Settings
from csperf.stopping import DiskFull, says_full
from csperf.storage import held_locks, private_dir

DBT_PROJECT = PROJECT_ROOT / "dbt_project"
# What dbt has read of the project, so that it reads changed files alone; `make` puts one into the project's own folder.
PARSED = "partial_parse.msgpack"


def call_dbt(settings: Settings, arguments: Sequence[str], told: Progress = silent) -> None:
    """Run `dbt` with arguments (`build --select …`) on the warehouse; `told` hears of each model.

    CsperfError with the models that failed and dbt's reasons, DiskFull when that is one of them. dbt ends with this
    process: it is killed when this one is interrupted, and ends itself when its standard input does. Until it has
    ended it keeps the locks of this process, so that nobody else finds the warehouse open.
    """
    home = settings.home / "dbt"
    private_dir(home)
    environment = os.environ | {
        "CSPERF_MEMORY_LIMIT": settings.memory_limit,
        "CSPERF_THREADS": str(settings.threads),
        "DBT_TARGET_PATH": str(home / "target"),
        "DBT_LOG_PATH": str(home / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "PYTHONWARNINGS": "ignore",
    }
    if not (home / "target" / PARSED).exists() and (DBT_PROJECT / "target" / PARSED).exists():
        environment["DBT_PARTIAL_PARSE_FILE_PATH"] = str(DBT_PROJECT / "target" / PARSED)
    command = [sys.executable, "-m", "csperf.dbt_process", *arguments]
    command += ["--log-level", "none", "--log-level-file", "none", "--no-write-json"]
    command += ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=home,
        umask=0o077,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=held_locks(),
    )
    reasons: list[str] = []
    tail: list[str] = []
    assert process.stdin is not None and process.stdout is not None
    try:
        for line in process.stdout:
            event = _event(line)
            if "step" in event:
                told(event["step"], event["done"], event["total"])
            elif "reason" in event:
                reasons.append(event["reason"])
            else:
                tail = [*tail[-20:], line.strip()]
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        process.stdin.close()
        process.stdout.close()
    if code != 0 and any(map(says_full, [*reasons, *tail])):
        raise DiskFull
    if code != 0:
        raise CsperfError(
            f"The build failed in dbt: {' | '.join(reasons[:3]) or ' '.join(tail) or f'exit code {code}'}"
        )


def _event(line: str) -> dict[str, Any]:
    """A line of `dbt_process` as it was told; empty for what anything else has printed."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
