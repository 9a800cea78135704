"""Calling dbt: a process of its own, so that it leaves no lock on the warehouse and no memory behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from csperf.errors import CsperfError
from csperf.progress import Progress, silent
from csperf.settings import PROJECT_ROOT, Settings
from csperf.storage import PRIVATE_DIR

DBT_PROJECT = PROJECT_ROOT / "dbt_project"
# A failing batch of a month tells its reason at debug level only, so that level is listened to.
_REASONS = ("CatchableExceptionOnRun", "GenericExceptionOnRun", "InternalErrorOnRun", "MainEncounteredError")
_RESULTS = ("LogModelResult", "LogTestResult", "LogSeedResult")


def call_dbt(settings: Settings, arguments: Sequence[str], told: Progress = silent) -> None:
    """Run `dbt` with arguments (`build --select …`) on the warehouse; `told` hears of each model.

    CsperfError with the models that failed and dbt's reasons. When this process is interrupted dbt is ended as well.
    """
    home = settings.home / "dbt"
    home.mkdir(parents=True, exist_ok=True, mode=PRIVATE_DIR)
    environment = os.environ | {
        "CSPERF_WAREHOUSE": str(settings.warehouse_path),
        "CSPERF_MEMORY_LIMIT": settings.memory_limit,
        "CSPERF_THREADS": str(settings.threads),
        "DBT_TARGET_PATH": str(home / "target"),
        "DBT_LOG_PATH": str(home / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-m", "dbt.cli.main", "--log-format", "json", "--log-level", "debug"]
    command += ["--log-level-file", "none", *arguments]
    command += ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
    process = subprocess.Popen(
        command, env=environment, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    reasons: list[str] = []
    tail: list[str] = []
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if not line.startswith("{"):
                tail = [*tail[-20:], line.strip()]
            elif any(name in line for name in (*_RESULTS, *_REASONS)):
                _hear(line, told, reasons)
        code = process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if code != 0:
        raise CsperfError(
            f"The build failed in dbt: {' | '.join(reasons[:3]) or ' '.join(tail) or f'exit code {code}'}"
        )


def _hear(line: str, told: Progress, reasons: list[str]) -> None:
    try:
        event = json.loads(line)
    except ValueError:
        return
    info, data = event["info"], event["data"]
    if info["name"] in _RESULTS:
        node = data["node_info"]
        told(f"build {node['node_name']}", int(data["index"]), int(data.get("total") or data.get("num_models") or 0))
        if info["name"] == "LogTestResult" and data["status"] in ("fail", "error"):
            reasons.append(f"test {node['node_name']} found {data.get('num_failures', 'an error')} bad rows")
    elif info["name"] in _REASONS:
        reasons.append(" ".join(str(info["msg"]).split()))
