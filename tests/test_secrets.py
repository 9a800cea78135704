"""Passwords of the source, the serving database and the notification URLs are read nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from csperf.errors import UsageError
from csperf.secrets import masked, secrets_of
from csperf.settings import Settings, load_settings
from tests.test_cli import csperf

PASSWORD = "pl4nted-p%40ss"
SOURCE = f"postgresql://reader:{PASSWORD}@127.0.0.1:1/erp"
SERVING = f"postgresql://bi:{PASSWORD}-too@127.0.0.1:1/reports"
TOKEN = "pl4ntedtoken4711"
NOTIFY = f"data=dingtalk://{TOKEN} payroll=mailto://me:{PASSWORD}@example.com?to=a@example.com"


def hidden(text: str) -> bool:
    return "pl4nted" not in text


def test_settings_shown_in_any_way_hide_them() -> None:
    settings = Settings(source=SOURCE, serving_url=SERVING, notify=NOTIFY)
    assert hidden(repr(settings)) and hidden(str(settings)) and hidden(f"{[settings]}")


def test_a_wrong_setting_is_told_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError) as error:
        Settings(source=SOURCE, notify=f"nobody={NOTIFY}", threads=0)
    assert hidden(f"{error.value!s} {error.value!r}")
    monkeypatch.setenv("CSPERF_NOTIFY", f"nobody={NOTIFY}")
    with pytest.raises(UsageError) as refused:
        load_settings()
    assert hidden(str(refused.value))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "could not open postgresql://reader:pl4nted@db.example.com/erp now",
            "postgresql://***@db.example.com/erp now",
        ),
        ("mysql+pymysql://u:pl4nted/with@signs@host:3306/x", "mysql+pymysql://***@host:3306/x"),
        ("postgresql:/u:pl4nted@host", "postgresql:/***@host"),
        ("write to a@example.com, see https://example.com/a", "write to a@example.com, see https://example.com/a"),
    ],
)
def test_a_url_loses_its_user_and_password(text: str, shown: str) -> None:
    assert masked(text).endswith(shown)


def test_pieces_of_notification_urls_are_secrets_and_ordinary_words_are_not() -> None:
    notify = "payroll=slack://TABC12345/BABC12345/xyz123456789/#general all=json://hooks.example.com/services/k3y-k3y"
    found = secrets_of(Settings(notify=notify, source=SOURCE))
    assert {"TABC12345", "xyz123456789", "k3y-k3y", PASSWORD, "pl4nted-p@ss"} <= found
    assert not found & {"payroll", "slack", "hooks.example.com", "services", "json"}
    assert masked("xyz123456789 told payroll", found) == "*** told payroll"


def test_the_command_line_shows_none_of_them(tmp_path: Path) -> None:
    variables = {"CSPERF_SOURCE": SOURCE, "CSPERF_SERVING_URL": SERVING, "CSPERF_NOTIFY": NOTIFY}
    status = csperf("status", home=tmp_path, **variables)
    assert status.returncode == 0 and "DingTalk (target 1)" in status.stdout
    run = csperf("--debug", "run", "--from", "2026-09-01", "--to", "2026-09-01", home=tmp_path, **variables)
    assert run.returncode == 1 and "Traceback" in run.stderr
    typo = csperf(
        "run", "--from", "2026-09-01", "--to", "2026-09-01", "--source", SOURCE.replace("//", "/"), home=tmp_path
    )
    assert "There is no source 'postgresql:/***@127.0.0.1:1/erp'" in typo.stderr
    assert hidden("".join(done.stdout + done.stderr for done in (status, run, typo)))


# In a process of its own: Airflow's masker is one for all, and would hide the words from the other tests too.
MASK = """
import sys
from airflow.sdk._shared.secrets_masker.secrets_masker import _secrets_masker
from csperf.orchestration.common import task_settings
settings = task_settings()
print(_secrets_masker().redact(f"reading {settings.source} and {settings.serving_url}, then {sys.argv[1]}"))
"""


def test_the_logs_of_airflow_show_none_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SOURCE": SOURCE, "SERVING_URL": SERVING, "NOTIFY": NOTIFY}.items():
        monkeypatch.setenv(f"CSPERF_{name}", value)
    done = subprocess.run([sys.executable, "-c", MASK, TOKEN], capture_output=True, text=True, check=True)
    assert "reading postgresql://reader:***@127.0.0.1:1/erp" in done.stdout
    assert hidden(done.stdout + done.stderr)
