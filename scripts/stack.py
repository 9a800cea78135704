"""Airflow's own processes, started as they are and spoken to through Airflow's REST API.

Used by `make run`, `make airflow` and the end-to-end tests.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import psutil

from csperf.storage import private_dir

ROOT = Path(__file__).resolve().parent.parent
POOL = "csperf_warehouse"
COMPONENTS: Mapping[str, Sequence[str]] = {
    "api-server": ("airflow", "api-server"),
    "scheduler": ("airflow", "scheduler", "--skip-serve-logs"),
    "dag-processor": ("airflow", "dag-processor"),
    "triggerer": ("airflow", "triggerer", "--skip-serve-logs"),
}
ENDED = {"success", "failed"}


READING_SECONDS = 8
COMMAND_SECONDS = 300
"""No command of this Airflow takes so long."""


def free_port() -> int:
    """A TCP port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def local_environment(home: Path, port: int, users: Sequence[str], schedules: bool) -> dict[str, str]:
    """The environment of a local Airflow: SQLite in `home`, reachable from this machine alone.

    `users` get admin rights and each a random password, kept in `home` for its owner only; without `schedules` DAGs
    run only when they are triggered.
    """
    private_dir(home)
    passwords = home / "passwords.json"
    if not passwords.exists():
        with os.fdopen(os.open(passwords, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            json.dump({user: secrets.token_urlsafe(12) for user in users}, file)
    settings = {
        "CORE__DAGS_FOLDER": ROOT / "dags",
        "CORE__LOAD_EXAMPLES": False,
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": 2,
        "CORE__FERNET_KEY": "",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": schedules,
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:admin" for user in users),
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": passwords,
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "LOGGING__BASE_LOG_FOLDER": home / "logs",
        "API__HOST": "127.0.0.1",
        "API__PORT": port,
        "API__BASE_URL": f"http://localhost:{port}",
        "API__WORKERS": 1,
        "API__SECRET_KEY": secrets.token_hex(16),
        "API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "DAG_PROCESSOR__PARSING_PROCESSES": 1,
        "SCHEDULER__USE_JOB_SCHEDULE": schedules,
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": 0.2 if not schedules else 1,
        "USAGE_DATA_COLLECTION__ENABLED": False,
    }
    return {"AIRFLOW_HOME": str(home), **{f"AIRFLOW__{name}": str(value) for name, value in settings.items()}}


class Stack:
    """Airflow's processes over one metadata database. A context manager: all of them end with it.

    `environment` comes on top of this process's own; `components` are the commands to start, `prepare` those that
    run once before. Logs lie in `logs`, one file a command. `passwords` are the users' for the REST API.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        logs: Path,
        port: int,
        passwords: Mapping[str, str],
        components: Mapping[str, Sequence[str]] = COMPONENTS,
        prepare: Sequence[Sequence[str]] = (
            ("airflow", "db", "migrate"),
            ("airflow", "pools", "set", POOL, "1", "Whatever writes to CSPERF_HOME"),
        ),
    ) -> None:
        # The project's own Python and Airflow come first on the path, whoever started us and wherever.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
        self.environment = {**inherited, "PATH": path, "PYTHONUNBUFFERED": "1", **environment}
        self.url = f"http://127.0.0.1:{port}"
        self.logs = logs
        self._passwords = passwords
        self._components = components
        self._prepare = prepare
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._tokens: dict[str, str] = {}

    def __enter__(self) -> Stack:
        self.logs.mkdir(parents=True, exist_ok=True)
        for command in self._prepare:
            self.run(command)
        try:
            for name in self._components:
                self.start(name)
            self._wait_until_healthy()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def run(self, command: Sequence[str]) -> str:
        """Run one command to its end in this Airflow; returns what it printed. RuntimeError with it if it fails, or
        subprocess.TimeoutExpired if it does not end."""
        done = subprocess.run(
            command,
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
        return done.stdout

    def start(self, name: str) -> None:
        """Start a component; what it prints goes to its log file."""
        with (self.logs / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                self._components[name],
                env=self.environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """Kill a component and its children at once, as a power cut would."""
        process = self._processes.pop(name)
        family: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            family = psutil.Process(process.pid).children(recursive=True)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for child in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        process.wait()

    def stop(self) -> None:
        """End all components; those that do not within ten seconds are killed."""
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + 10
        for name, process in list(self._processes.items()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            self.kill(name)

    def check_alive(self) -> None:
        """RuntimeError with the end of its log when a component has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                log = (self.logs / f"{name}.log").read_text(errors="replace")
                raise RuntimeError(f"Airflow's {name} ended with exit code {process.returncode}:\n{log[-3000:]}")

    def call(self, method: str, path: str, user: str, body: Any = None) -> Any:
        """One call of the REST API (`path` below /api/v2/, or `auth/…`) by a user; RuntimeError if it is refused."""
        if user not in self._tokens:
            login = {"username": user, "password": self._passwords[user]}
            answer = httpx.post(f"{self.url}/auth/token", json=login, timeout=60)
            answer.raise_for_status()
            self._tokens[user] = answer.json()["access_token"]
        for attempt in range(3):
            answer = httpx.request(
                method,
                f"{self.url}/{path}" if path.startswith("auth/") else f"{self.url}/api/v2/{path}",
                json=body,
                headers={"Authorization": f"Bearer {self._tokens[user]}"},
                timeout=60,
            )
            # A question that the server fails to answer once may be asked again; a command may not.
            if method != "GET" or answer.status_code < 500:
                break
            time.sleep(1 + attempt)
        if answer.is_error:
            log = (self.logs / "api-server.log").read_text(errors="replace")[-3000:] if answer.is_server_error else ""
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:1000]}\n{log}")
        return answer.json() if answer.content else None

    def trigger(self, dag: str, user: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run of a DAG by hand, without a logical date; returns its id."""
        run = self.call("POST", f"dags/{dag}/dagRuns", user, {"logical_date": None, "conf": dict(conf or {})})
        return str(run["dag_run_id"])

    def tasks(self, dag: str, run: str, user: str) -> dict[str, str | None]:
        """The state of each task of a run."""
        found = self.call("GET", f"dags/{dag}/dagRuns/{run}/taskInstances", user)["task_instances"]
        return {each["task_id"]: each["state"] for each in found}

    def watch(self, dag: str, run: str, user: str, timeout: float = 300) -> Iterator[tuple[str, dict[str, str | None]]]:
        """The run's state and its tasks' again and again until it has ended; RuntimeError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            state = str(self.call("GET", f"dags/{dag}/dagRuns/{run}", user)["state"])
            yield state, self.tasks(dag, run, user)
            if state in ENDED:
                return
            self.check_alive()
            if time.monotonic() > deadline:
                raise RuntimeError(f"{dag} {run} is still {state} after {timeout:.0f} s: {self.tasks(dag, run, user)}")
            time.sleep(0.5)

    def wait(self, dag: str, run: str, user: str, timeout: float = 300) -> str:
        """The state that a run ends in."""
        state = ""
        for seen, _ in self.watch(dag, run, user, timeout):
            state = seen
        return state

    def wait_for_task(self, dag: str, run: str, task: str, state: str, user: str, timeout: float = 300) -> None:
        """Wait until a task is in a state; RuntimeError if the run ends before."""
        for _, tasks in self.watch(dag, run, user, timeout):
            if tasks.get(task) == state:
                return
        raise RuntimeError(f"{dag} {run} ended with {task} not {state}: {self.tasks(dag, run, user)}")

    def answer(self, dag: str, run: str, user: str, option: str = "Approve", reason: str = "") -> None:
        """Answer a waiting approval as a user, after a pause such as a person takes to read it.

        Airflow's scheduler learns a few seconds late that the asking process has ended. An answer before that wakes the
        task, and the scheduler then takes the old process's end for the new one's and fails it.
        """
        time.sleep(READING_SECONDS)
        self.call(
            "PATCH",
            f"dags/{dag}/dagRuns/{run}/taskInstances/approve/-1/hitlDetails",
            user,
            {"chosen_options": [option], "params_input": {"reason": reason}},
        )

    def task_log(self, dag: str, run: str, task: str, user: str, attempt: int = 1) -> str:
        """The log of one try of a task."""
        log = self.call("GET", f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}?full_content=true", user)
        return "\n".join(json.dumps(line, ensure_ascii=False) for line in log["content"])

    def _wait_until_healthy(self, timeout: float = 120) -> None:
        deadline = time.monotonic() + timeout
        wanted = {"scheduler", "dag-processor", "triggerer"} & set(self._components)
        health: dict[str, Any] = {}
        while time.monotonic() < deadline:
            self.check_alive()
            with contextlib.suppress(httpx.HTTPError, ValueError):
                health = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=10).json()
                parts = [health.get(name.replace("-", "_"), {}) for name in wanted]
                if all(part.get("status") == "healthy" for part in parts) and self._has_dags():
                    return
            time.sleep(0.5)
        raise RuntimeError(f"Airflow is not healthy after {timeout:.0f} s: {health}; see {self.logs}")

    def _has_dags(self) -> bool:
        user = next(iter(self._passwords))
        expected = {path.stem for path in (ROOT / "dags").glob("csperf_*.py")}
        return expected <= {dag["dag_id"] for dag in self.call("GET", "dags", user)["dags"]}


@contextmanager
def local_stack(
    home: Path,
    environment: Mapping[str, str],
    users: Sequence[str] = ("clerk", "director"),
    port: int | None = None,
    schedules: bool = False,
    components: Sequence[str] = ("api-server", "scheduler", "dag-processor"),
) -> Iterator[Stack]:
    """A local Airflow in `home` for as long as the context lasts."""
    port = port or free_port()
    own = local_environment(home, port, users, schedules)
    passwords = json.loads((home / "passwords.json").read_text())
    chosen = {name: COMPONENTS[name] for name in components}
    with Stack({**environment, **own}, home / "logs" / "components", port, passwords, chosen) as stack:
        yield stack
