"""The quarter's grade decisions in Airflow: draft, approval, publication."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

from csperf.orchestration import alerts, runs, steps
from csperf.orchestration.approval import FORM, Approval
from csperf.orchestration.common import (
    DEFAULT_ARGS,
    POOL,
    SCORECARDS,
    TIERS,
    LogProgress,
    refusals_are_final,
    schedule,
    start_date,
    task_settings,
)

DOC = """\
At 06:00 on the 5th after a quarter's end, for that quarter (parameter `quarter`: another one). **draft** builds the
quarter and writes who would be promoted or demoted, and by which conditions, into a private folder, **approve** asks a
person in *Required Actions*, **publish** makes the draft the next revision, **serve** builds the months that the new
grades reach and shows them.

A rejection is kept with the draft, with its reason, and nothing is published.

Publish checks for itself that the answer is Approve, that neither the preparer, whoever started the run nor anybody
whose grade is decided gave it, and that the decisions are those that were approved; a task marked as success by hand
publishes nothing. A quarter whose decisions are published already is skipped.
"""


@dag(
    schedule=schedule("0 6 5 1,4,7,10 *"),
    start_date=start_date(),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    params={"quarter": Param(None, type=["null", "string"], pattern=r"^\d{4}Q[1-4]$", description="Quarter, 2026Q3")},
    tags=["csperf", "tiers"],
    doc_md=DOC,
    on_failure_callback=alerts.run_failed,
)
def csperf_quarterly() -> None:
    @task(pool=POOL, inlets=[SCORECARDS])
    @refusals_are_final
    def draft() -> dict[str, Any]:
        context, settings = get_current_context(), task_settings()
        quarter = runs.quarter_of(context["dag_run"], context["params"], settings.zone)
        return steps.draft(settings, quarter, datetime.now(UTC), LogProgress())

    @task(pool=POOL, outlets=[TIERS])
    @refusals_are_final
    def publish(drafted: Any, answer: Any) -> str:
        started_by = get_current_context()["dag_run"].triggering_user_name
        return steps.publish(task_settings(), drafted, answer, started_by, datetime.now(UTC))

    @task(pool=POOL)
    def serve() -> None:
        steps.serve(task_settings(), LogProgress())

    drafted = draft()
    approve = Approval(
        task_id="approve",
        subject="Grade decisions {{ ti.xcom_pull(task_ids='draft')['period'] }}",
        body="{{ ti.xcom_pull(task_ids='draft')['body'] }}",
        params=FORM,
        retries=0,
    )
    drafted >> approve
    publish(drafted, approve.output) >> serve()


csperf_quarterly()
