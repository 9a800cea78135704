"""The command line as users meet it: a process, its exit code, what it prints where."""

import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from tests.conftest import Company


def csperf(*arguments: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `csperf` as its own process."""
    environment = os.environ | {"CSPERF_HOME": str(home)} | variables
    command = [sys.executable, "-m", "csperf", *arguments]
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )


def test_help_is_quick_and_lists_every_command(tmp_path: Path) -> None:
    csperf("--help", home=tmp_path)  # compiles the modules where that was not done yet
    started = time.perf_counter()
    done = csperf("--help", home=tmp_path)
    assert time.perf_counter() - started < 1.5
    assert done.returncode == 0
    commands = "demo run notify sample close-month close-quarter backfill explain simulate policy status"
    for command in commands.split():
        assert f"\n  {command} " in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo", "--out", "x", "--from", "2026-13-01", "--to", "2026-07-01"], "'2026-13-01' is not a date"),
        (["close-month", "2026-9"], "'2026-9' is not a month"),
        (["close-quarter", "2026-09"], "'2026-09' is not a quarter"),
        (["run", "--from", "2026-07-01", "--to", "2026-07-01"], "No source is given"),
        (["run", "--from", "2026-07-02", "--to", "2026-07-01", "--source", "x"], "swap the two dates"),
        (["notify"], "name targets in CSPERF_NOTIFY"),
        (["explain", "E1", "Juli"], "'Juli' is not a month"),
        (["policy", "show", "no_such_plan"], "There is no plan 'no_such_plan'"),
        (["simulate", "2026-07..2026-09", "--policy", "no_such_folder"], "There is no folder no_such_folder"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_2(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = csperf(*arguments, home=tmp_path / "home")
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [["demo"], ["run", "--form", "2026-07-01"], ["no-such-command"]])
def test_options_that_do_not_exist_or_are_missing_are_exit_2(tmp_path: Path, arguments: list[str]) -> None:
    done = csperf(*arguments, home=tmp_path)
    assert done.returncode == 2
    assert "Error" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    done = csperf("status", home=tmp_path, CSPERF_TIMEZONE="Asia/Nowhere")
    assert done.returncode == 2
    assert "CSPERF_TIMEZONE" in done.stderr


def test_what_is_refused_is_exit_1_and_debug_shows_where(tmp_path: Path) -> None:
    done = csperf("sample", "--date", "2026-07-01", home=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("No chat_sessions or calls of 2026-07-01 are landed")
    assert "Traceback" not in done.stderr
    assert "Traceback" in csperf("--debug", "sample", "--date", "2026-07-01", home=tmp_path).stderr


def test_demo_writes_a_company_and_says_what_comes_next(tmp_path: Path) -> None:
    done = csperf(
        *("demo", "--out", str(tmp_path / "demo"), "--agents", "5", "--seed", "4"),
        *("--from", "2026-07-01", "--to", "2026-07-02"),
        home=tmp_path / "home",
    )
    assert done.returncode == 0, done.stderr
    assert "all people and figures are invented" in done.stdout
    assert f"csperf run --source {tmp_path / 'demo'} --from 2026-07-01 --to 2026-07-02" in done.stdout
    assert done.stderr == ""  # no progress bars into a file


def test_plans_are_listed_shown_and_checked(tmp_path: Path) -> None:
    listed = csperf("policy", "list", home=tmp_path)
    assert (listed.returncode, "cs_2017 (default)" in listed.stdout) == (0, True)
    shown = csperf("policy", "show", "cs_2017", "--on", "2026-07-01", home=tmp_path)
    assert (shown.returncode, "performance_pay" in shown.stdout) == (0, True)
    assert csperf("policy", "check", home=tmp_path).returncode == 0
    (tmp_path / "mine.yaml").write_text("plan: mine\n")
    wrong = csperf("policy", "check", str(tmp_path), home=tmp_path)
    assert wrong.returncode == 1
    assert "mine.yaml" in wrong.stderr


def test_running_again_changes_nothing_and_says_so(company: Company) -> None:
    landing = company.settings.landing_dir
    before = {path: path.stat().st_mtime_ns for path in landing.rglob("*") if path.is_file()}
    done = csperf(
        *("run", "--source", str(company.demo.out), "--from", str(company.first), "--to", str(company.last)),
        home=company.settings.home,
    )
    assert done.returncode == 0, done.stderr
    assert "is up to date" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in landing.rglob("*") if path.is_file()} == before


def test_a_refused_delivery_ends_with_exit_1_after_everything_else_is_done(tmp_path: Path, company: Company) -> None:
    source, day = tmp_path / "source", date(2026, 7, 1)
    for name in ("employees", "chat_sessions", "tickets"):
        (source / name).mkdir(parents=True)
        file = company.demo.out / name / ("2026-06-29.csv" if name == "employees" else f"{day}.csv")
        (source / name / f"{day}.csv").write_bytes(file.read_bytes())
    (source / "tickets" / f"{day}.csv").write_text("ticket_id,agent_id\nT1,E0001\n")
    done = csperf("run", "--source", str(source), "--from", str(day), "--to", str(day), home=tmp_path / "home")
    assert done.returncode == 1
    assert f"tickets of {day} is refused" in done.stderr
    assert (tmp_path / "home" / "reports" / f"{day}.html").exists()
    assert (tmp_path / "home" / "samples" / str(day) / "worklist.csv").exists()


def test_status_and_explain_read_what_the_run_made(company: Company) -> None:
    status = csperf("status", home=company.settings.home)
    assert status.returncode == 0, status.stderr
    assert "calls: no delivery for 2026-06-30." in status.stdout
    explained = csperf("explain", "E0001", "2026-07", home=company.settings.home)
    assert explained.returncode == 0, explained.stderr
    assert "base_pay" in explained.stdout


def test_a_month_that_is_not_over_is_refused(company: Company) -> None:
    done = csperf("close-month", "2026-07", "--approved-by", "director", home=company.settings.home)
    assert done.returncode == 1
    assert "2026-07" in done.stderr
    assert not company.settings.payroll_dir.exists() or not list(company.settings.payroll_dir.rglob("rev-*"))
