"""The month's payroll in Airflow: draft, approval, publication."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

from csperf.orchestration import alerts, runs, steps
from csperf.orchestration.approval import FORM, Approval
from csperf.orchestration.common import (
    DEFAULT_ARGS,
    PAYROLL,
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
At 06:00 on the 21st, for the month before (parameter `month`: another one). **draft** builds the month and writes
its extract into a private folder, **approve** asks a person in *Required Actions*, **publish** makes the draft the next
revision, **serve** shows it. Draft fails with what the release gate stops the month for; a rejection is kept with the
draft, with its reason, and nothing is published.

Publish checks for itself that the answer is Approve, that neither the preparer, whoever started the run nor anybody on
the list gave it, and that the figures are those that were approved; a task marked as success by hand publishes
nothing. A month whose figures are published already is skipped. Started by its schedule or by a person, never by an
asset: running nights again pays nobody.
"""


@dag(
    schedule=schedule("0 6 21 * *"),
    start_date=start_date(),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    params={"month": Param(None, type=["null", "string"], pattern=r"^\d{4}-\d{2}$", description="Pay month, 2026-09")},
    tags=["csperf", "payroll"],
    doc_md=DOC,
    on_failure_callback=alerts.run_failed,
)
def csperf_monthly() -> None:
    @task(pool=POOL, inlets=[SCORECARDS, TIERS])
    @refusals_are_final
    def draft() -> dict[str, Any]:
        context, settings = get_current_context(), task_settings()
        month = runs.month_of(context["dag_run"], context["params"], settings.zone)
        return steps.draft(settings, month, datetime.now(UTC), LogProgress())

    @task(pool=POOL, outlets=[PAYROLL])
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
        subject="Payroll {{ ti.xcom_pull(task_ids='draft')['period'] }}",
        body="{{ ti.xcom_pull(task_ids='draft')['body'] }}",
        params=FORM,
        retries=0,
    )
    drafted >> approve
    publish(drafted, approve.output) >> serve()


csperf_monthly()
