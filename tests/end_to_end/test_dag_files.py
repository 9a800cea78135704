"""The DAG files as Airflow reads them, and the house rules for them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.stack import POOL, ROOT

DAGS = ROOT / "dags"
SCHEDULES = {
    "csperf_daily": "0 2 * * *",
    "csperf_monthly": "0 6 21 * *",
    "csperf_quarterly": "0 6 5 1,4,7,10 *",
    "csperf_backfill": None,
}
TAGS = {"csperf", "nightly", "payroll", "tiers", "backfill"}

READ = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
bag = DagBag(sys.argv[1])
dags = {name: DagSerialization.serialize_dag(dag) for name, dag in bag.dags.items()}
print(json.dumps({"errors": bag.import_errors, "dags": dags}, default=str))
"""

# Imports a DAG file after Airflow itself and tells how long that took and which files it opened that are no code.
IMPORT = """
import json, runpy, sys, time
import airflow.sdk, airflow.dag_processing.dagbag
from airflow.sdk import dag, task, Param, CronDataIntervalTimetable
opened = []
def hook(event, args):
    if event == "open" and isinstance(args[0], str) and isinstance(args[1], str) and "r" in args[1]:
        opened.append(args[0])
    elif event in ("socket.connect", "sqlite3.connect", "subprocess.Popen"):
        opened.append(event)
sys.addaudithook(hook)
started = time.perf_counter()
runpy.run_path(sys.argv[1])
took = time.perf_counter() - started
print(json.dumps({"took": took, "opened": opened, "modules": sorted(sys.modules)}))
"""


def _python(home: Path, code: str, *arguments: str) -> Any:
    environment = {**os.environ, "AIRFLOW_HOME": str(home), "CSPERF_HOME": str(home / "nowhere")}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The four DAGs as Airflow serializes them."""
    read = _python(tmp_path_factory.mktemp("airflow"), READ, str(DAGS))
    assert read["errors"] == {}
    assert set(read["dags"]) == set(SCHEDULES)
    yield read["dags"]


def test_schedules_are_the_contracts_in_the_business_time_zone(dags: dict[str, Any]) -> None:
    for name, cron in SCHEDULES.items():
        timetable = dags[name]["timetable"]
        if cron is None:
            assert timetable["__type"].endswith("NullTimetable")
        else:
            assert timetable["__type"].endswith("CronDataIntervalTimetable")
            assert timetable["__var"] == {"expression": cron, "timezone": "Asia/Shanghai"}
            assert dags[name]["catchup"] is False


def test_every_dag_says_what_it_is_and_whose(dags: dict[str, Any]) -> None:
    for name, dag in dags.items():
        assert len(dag["doc_md"]) > 200, name
        assert "csperf" in dag["tags"] and set(dag["tags"]) <= TAGS
        for task in _tasks(dag):
            assert task.get("owner", dag["default_args"]["__var"]["owner"]) == "csperf"


def test_a_failed_run_and_a_night_past_its_deadline_are_told(dags: dict[str, Any]) -> None:
    assert all(dag["has_on_failure_callback"] for dag in dags.values())
    assert "csperf.orchestration.alerts.night_late" in json.dumps(dags["csperf_daily"]["deadline"])


def test_extraction_is_tried_again_and_an_approval_is_not(dags: dict[str, Any]) -> None:
    assert _task(dags["csperf_daily"], "extract")["retries"] == 3
    assert _task(dags["csperf_backfill"], "backfill")["retries"] == 3
    for name in ("csperf_monthly", "csperf_quarterly"):
        assert _task(dags[name], "approve").get("retries", 0) == 0


def test_whatever_writes_queues_for_the_one_slot_and_waiting_for_a_person_does_not(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        for task in _tasks(dag):
            assert task.get("pool", "default_pool") == ("default_pool" if task["task_id"] == "approve" else POOL)


def test_nothing_is_published_but_after_an_approval(dags: dict[str, Any]) -> None:
    for name in ("csperf_monthly", "csperf_quarterly"):
        tasks = {task["task_id"]: set(task.get("downstream_task_ids", ())) for task in _tasks(dags[name])}
        assert tasks == {"draft": {"approve", "publish"}, "approve": {"publish"}, "publish": {"serve"}, "serve": set()}
        assert _task(dags[name], "publish").get("trigger_rule", "all_success") == "all_success"


def test_assets_tie_the_dags_together(dags: dict[str, Any]) -> None:
    def assets(name: str, task: str, side: str) -> set[str]:
        return {asset["__var"]["name"] for asset in _task(dags[name], task).get(side, ())}

    assert assets("csperf_daily", "serve", "outlets") == {"csperf_scorecards"}
    assert assets("csperf_backfill", "backfill", "outlets") == {"csperf_scorecards"}
    assert assets("csperf_quarterly", "draft", "inlets") == {"csperf_scorecards"}
    assert assets("csperf_quarterly", "publish", "outlets") == {"csperf_tiers"}
    assert assets("csperf_monthly", "draft", "inlets") == {"csperf_scorecards", "csperf_tiers"}
    assert assets("csperf_monthly", "publish", "outlets") == {"csperf_payroll"}


@pytest.mark.parametrize("name", SCHEDULES)
def test_importing_a_dag_file_reads_nothing_and_is_quick(name: str, tmp_path: Path) -> None:
    seen = _python(tmp_path, IMPORT, str(DAGS / f"{name}.py"))
    assert seen["took"] < 2
    data = [path for path in seen["opened"] if not path.endswith((".py", ".pyc")) and "/site-packages/" not in path]
    zones = [path for path in data if "zoneinfo" in path]
    assert [path for path in data if path not in zones and not path.startswith("/usr/")] == []
    for heavy in ("duckdb", "pandas", "great_expectations", "dbt", "csperf.warehouse", "csperf.ingest"):
        assert heavy not in seen["modules"], f"{name} imports {heavy}"


def _tasks(dag: dict[str, Any]) -> list[dict[str, Any]]:
    return [task["__var"] for task in dag["tasks"]]


def _task(dag: dict[str, Any], name: str) -> dict[str, Any]:
    return next(task for task in _tasks(dag) if task["task_id"] == name)
