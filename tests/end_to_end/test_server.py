"""docker-compose.yml and the Dockerfile: what they name exists, and what they start works."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from csperf.settings import Settings
from scripts.stack import POOL, ROOT
from tests.end_to_end.compose import compose, image_environment, instructions, variables
from tests.end_to_end.conftest import CLERK, COMPONENTS, Server

BIN = Path(sys.executable).parent
SECRETS = {name: f"secret-{name}" for name, kinds in variables().items() if "?" in kinds}
OURS = ("init", *COMPONENTS, "worker")


def test_a_server_without_its_secrets_does_not_start() -> None:
    assert {"POSTGRES_PASSWORD", "FERNET_KEY", "API_SECRET_KEY", "JWT_SECRET", "ADMIN_PASSWORD"} <= set(SECRETS)
    for name in SECRETS:
        with pytest.raises(KeyError, match=name):
            compose({**SECRETS, name: ""})


def test_every_secret_comes_from_the_environment() -> None:
    services = compose(SECRETS)["services"]
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|FERNET|_KEY$", name) and value:
                assert value.startswith("secret-"), name
    assert "secret-POSTGRES_PASSWORD@" in services["scheduler"]["environment"]["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]


def test_every_long_running_service_has_a_health_check_and_waits_for_what_it_needs() -> None:
    services = compose(SECRETS)["services"]
    for name, service in services.items():
        assert name == "init" or service["healthcheck"]["test"], name
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services
            assert how["condition"] != "service_healthy" or services[needed]["healthcheck"]


def test_the_celery_parts_start_under_their_profile_only() -> None:
    services = compose(SECRETS)["services"]
    assert {name for name, service in services.items() if "profiles" in service} == {"redis", "worker"}
    assert (
        compose({**SECRETS, "AIRFLOW_EXECUTOR": "CeleryExecutor"})["services"]["scheduler"]["environment"][
            "AIRFLOW__CORE__EXECUTOR"
        ]
        == "CeleryExecutor"
    )


def test_every_variable_is_a_setting_of_airflow_or_of_csperf() -> None:
    services = compose(SECRETS)["services"]
    names = {name for service in OURS for name in services[service]["environment"]} | set(image_environment())
    fields = {f"CSPERF_{field.upper()}" for field in Settings.model_fields}
    options = {name.removeprefix("AIRFLOW__") for name in names if name.startswith("AIRFLOW__")}
    script = (
        "import json, sys; from airflow.configuration import conf\n"
        "pairs = [name.lower().split('__') for name in json.loads(sys.argv[1])]\n"
        "print(json.dumps([pair for pair in pairs if pair[1] not in conf.configuration_description"
        ".get(pair[0], {}).get('options', {})]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(sorted(options))], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []
    others = names - fields - {f"AIRFLOW__{option}" for option in options}
    assert others == {"PATH", "PYTHONUNBUFFERED", "AIRFLOW_HOME", "ADMIN_USER", "ADMIN_PASSWORD"}
    used = (ROOT / "docker" / "init").read_text()
    assert "$ADMIN_USER" in used and "$ADMIN_PASSWORD" in used


def test_every_command_exists() -> None:
    services = compose(SECRETS)["services"]
    commands = [service["command"] for name, service in services.items() if name in OURS]
    checks = [services[name]["healthcheck"]["test"] for name in (*COMPONENTS, "worker")]
    commands += [check[1:] if check[0] == "CMD" else shlex.split(check[1]) for check in checks]
    commands += [shlex.split(line) for line in _joined(ROOT / "docker" / "init") if line.startswith("airflow ")]
    for command in commands:
        program = Path(command[0].replace("/opt/csperf", str(ROOT)))
        assert (program if program.is_absolute() else BIN / program).exists(), command
    airflow = [command[1:] for command in commands if command[0] == "airflow"]
    assert len(airflow) >= 10
    script = (
        "import json, sys; from airflow.cli.cli_parser import get_parser\n"
        "for words in json.loads(sys.argv[1]): get_parser().parse_args(words)"
    )
    subprocess.run([sys.executable, "-c", script, json.dumps(airflow)], check=True, capture_output=True)


def test_every_path_exists_in_the_project_or_is_made_by_the_image() -> None:
    copied = [rest.split() for name, rest in instructions() if name == "COPY" and not rest.startswith("--from")]
    for source in [word for words in copied for word in words[:-1]]:
        assert (ROOT / source).exists(), source
        ignored = (ROOT / ".dockerignore").read_text().splitlines()
        assert f"!{source}" in ignored, f".dockerignore keeps {source} out of the image"
    made = " ".join(rest for name, rest in instructions() if name == "RUN")
    services = compose(SECRETS)["services"]
    volumes = compose(SECRETS)["volumes"]
    for name in OURS:
        for volume in services[name]["volumes"]:
            place, target = volume.split(":")[:2]
            assert place in volumes or place.startswith("./"), volume
            assert f"{target} " in f"{made} ", f"the image does not make {target}"
    image = image_environment()
    assert image["CSPERF_HOME"] == services["scheduler"]["environment"]["CSPERF_HOME"] == "/var/lib/csperf"
    assert image["AIRFLOW__CORE__DAGS_FOLDER"].replace("/opt/csperf", str(ROOT)) == str(ROOT / "dags")
    docs = (ROOT / "docs" / "server.md").read_text()
    for name in variables():
        assert name in docs, f"docs/server.md does not explain {name}"


def test_the_port_is_the_same_everywhere() -> None:
    services = compose(SECRETS)["services"]
    port = services["api-server"]["environment"]["AIRFLOW__API__PORT"]
    assert services["api-server"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert (
        f"api-server:{port}/execution/" in services["worker"]["environment"]["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]
    )
    assert f":{port}/" in services["api-server"]["healthcheck"]["test"][-1]
    assert ("EXPOSE", port) in instructions()


def test_the_started_server_passes_its_own_health_checks(server: Server) -> None:
    for name in COMPONENTS:
        kind, *check = [server.here(word) for word in server.services[name]["healthcheck"]["test"]]
        assert kind == "CMD"
        server.stack.run(check)


def test_the_pool_lets_one_task_write(server: Server) -> None:
    assert server.stack.call("GET", f"pools/{POOL}", CLERK)["slots"] == 1


def _joined(path: Path) -> list[str]:
    return re.sub(r"\\\n", " ", path.read_text()).splitlines()
