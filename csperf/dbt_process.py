"""dbt as `call_dbt` starts it: a process that tells on its output only what its caller wants to hear.

A failing batch of a month gives its reason at dbt's debug level alone, which is thousands of lines a build. Events are
heard here instead, where they need not be written out, and each one of use becomes a line of JSON: `step` with `done`
and `total`, or `reason`. It ends at once when its standard input does: then its caller is gone.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from collections.abc import Sequence
from typing import Any

from csperf.errors import without_values

_REASONS = ("CatchableExceptionOnRun", "GenericExceptionOnRun", "InternalErrorOnRun", "MainEncounteredError")


def run(arguments: Sequence[str]) -> int:
    """Run dbt with arguments; its exit code, 0 when all went well."""
    from dbt.cli.main import dbtRunner

    result = dbtRunner(callbacks=[_hear]).invoke(list(arguments))
    if result.exception is not None:
        print(without_values(str(result.exception)))
    return 0 if result.success else 1


def _hear(event: Any) -> None:
    name, data = event.info.name, event.data
    if name == "LogModelResult":
        _tell(step=f"build {data.node_info.node_name}", done=data.index, total=data.total)
    elif name == "LogTestResult":
        _tell(step=f"build {data.node_info.node_name}", done=data.index, total=data.num_models)
        if data.status == "fail":
            _tell(reason=f"test {data.node_info.node_name} found {data.num_failures} bad rows")
    elif name in _REASONS:
        _tell(reason=without_values(" ".join(event.info.msg.split())))


def _tell(**told: object) -> None:
    print(json.dumps(told), flush=True)


def _end_with_caller() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_caller, daemon=True).start()
    gc.disable()  # it lives for seconds; looking for garbage among what dbt imports is a tenth of its start
    raise SystemExit(run(sys.argv[1:]))
