"""What Airflow calls when a run fails or is not done by its deadline: somebody is told."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from csperf import notify
from csperf.notify import occasions
from csperf.orchestration import runs
from csperf.orchestration.common import task_settings
from csperf.settings import Settings

# The step that fails a night on purpose, after everything else is done: what it names was told when it was found.
_VERDICT = "verdict"


def run_failed(context: Mapping[str, Any]) -> None:
    """Tell that a run has failed: which, for when, in which steps. Called with Airflow's context of the run."""
    settings, dag, run = task_settings(), context["dag"].dag_id, str(context["run_id"])
    steps = _failed_steps(context.get("ti"), dag, run)
    if steps == [_VERDICT]:
        return
    period = _period(settings, dag, context.get("dag_run"), context.get("params") or {})
    step, now = ", ".join(step for step in steps if step != _VERDICT) or "?", datetime.now(UTC)
    notify.tell(settings, [occasions.run_failed(dag, period or [run], step, run, now)], now)


def night_late(context: Mapping[str, Any]) -> None:
    """Tell that a night is not done by its deadline. Airflow gives the run as its REST API shows it."""
    settings, run = task_settings(), context["dag_run"]
    if run["run_type"] == "backfill":  # its nights wait for each other
        return
    times = {
        name: datetime.fromisoformat(run[name]) if run.get(name) else None for name in ("logical_date", "run_after")
    }
    period = _period(settings, run["dag_id"], SimpleNamespace(**times), run.get("conf") or {})
    notice = occasions.night_late(run["dag_id"], period or [run["dag_run_id"]], run["dag_run_id"])
    notify.tell(settings, [notice], datetime.now(UTC))


def _failed_steps(last: Any, dag: str, run: str) -> list[str]:
    """The tasks that failed; the last one alone when Airflow does not answer, none when it names none at all."""
    if last is None:
        return []
    with contextlib.suppress(Exception):  # a question to the server, while something is wrong already
        states = last.get_task_states(dag, run_ids=[run])[run]
        return [task for task, state in states.items() if state == "failed"]
    return [last.task_id]


def _period(settings: Settings, dag: str, run: Any, params: Mapping[str, Any]) -> list[str]:
    """The dates, month or quarter that a run works on; empty when the run does not say."""
    kind = dag.removeprefix("csperf_")
    with contextlib.suppress(Exception):  # whatever keeps a run from naming its period may be why it failed
        if kind == "daily":
            return [str(day) for day in runs.business_dates(run, params, settings.zone)]
        if kind == "backfill":
            return [" … ".join(str(month) for month in runs.month_range(params))]
        of = {"monthly": runs.month_of, "quarterly": runs.quarter_of}[kind]
        return [str(of(run, params, settings.zone))]
    return []
