"""Who looked pay up is kept before anything is shown, and what happens to the log afterwards is noticed."""

from __future__ import annotations

import json
import multiprocessing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from csperf import cli_payroll, lookups
from csperf.cli import app
from csperf.errors import CsperfError, UsageError
from csperf.evidence import Node
from csperf.lookups import HEAD, LOG, account, read_lookups, record_lookup
from csperf.settings import Settings

WHEN = datetime(2026, 9, 21, 9, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def log_of(settings: Settings) -> Path:
    return settings.payroll_dir / LOG


def three(settings: Settings) -> list[str]:
    for number in (1, 2, 3):
        record_lookup(settings, "Demo Clerk", f"E{number}", "2026-08", "explain", WHEN, "asked by E")
    return log_of(settings).read_text().splitlines(keepends=True)


def test_a_lookup_says_who_when_whose_and_why(settings: Settings) -> None:
    lines = three(settings)
    first, second = map(json.loads, lines[:2])
    assert first == {
        **{"at": "2026-09-21T09:00:00+00:00", "by": "Demo Clerk", "account": account(), "employee": "E1"},
        **{"month": "2026-08", "kind": "explain", "why": "asked by E", "before": "0" * 64},
    }
    assert second["before"] == lookups._digest(lines[0].rstrip("\n").encode())
    log = read_lookups(settings)
    assert [each.employee for each in log.found] == ["E1", "E2", "E3"]
    assert (log.damages, log.lines) == ((), 3)
    for name in (LOG, HEAD, ".lookups.lock"):
        assert (settings.payroll_dir / name).stat().st_mode & 0o777 == 0o600, name


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([0, 2], "lookups.jsonl:2 does not follow the line before it"),
        ([1, 2], "lookups.jsonl:1 does not follow"),
        ([0, 1], "does not end as lookups.head"),
        ([], "does not end as lookups.head"),
        ([0, 2, 1], "lookups.jsonl:2 does not follow"),
    ],
)
def test_a_line_taken_away_is_noticed(settings: Settings, lines: list[int], says: str) -> None:
    written = three(settings)
    log_of(settings).write_text("".join(written[number] for number in lines))
    damages = read_lookups(settings).damages
    assert any(says in each for each in damages), damages


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_altered_line_is_noticed(settings: Settings, number: int) -> None:
    log_of(settings).write_text("".join(three(settings)).replace(f'"E{number}"', '"E9"'))
    (damage,) = read_lookups(settings).damages
    assert f":{number + 1} does not follow" in damage if number < 3 else "does not end as" in damage


def test_a_log_that_was_removed_is_noticed(settings: Settings) -> None:
    three(settings)
    log_of(settings).unlink()
    assert "does not end as" in read_lookups(settings).damages[0]
    record_lookup(settings, "Demo Clerk", "E4", "2026-08", "explain", WHEN)
    log = read_lookups(settings)
    assert log.lines == 1 and "(4 lines)" in log.damages[0]  # writing on does not mend it


def test_half_a_line_of_a_killed_process_is_cut_off(settings: Settings) -> None:
    three(settings)
    with log_of(settings).open("a") as file:
        file.write('{"at": "2026-')
    record_lookup(settings, "Demo Clerk", "E4", "2026-08", "explain", WHEN)
    log = read_lookups(settings)
    assert [each.employee for each in log.found] == ["E1", "E2", "E3", "E4"]
    assert log.damages == ()


def test_a_process_killed_between_line_and_note_is_no_damage(settings: Settings) -> None:
    three(settings)
    head = (settings.payroll_dir / HEAD).read_bytes()
    record_lookup(settings, "Demo Clerk", "E4", "2026-08", "explain", WHEN)
    (settings.payroll_dir / HEAD).write_bytes(head)
    assert read_lookups(settings).damages == ()


def _record_ten(home: Path, name: str) -> None:
    for number in range(10):
        record_lookup(Settings(home=home), name, f"{name}-{number}", "2026-08", "explain", WHEN)


def test_lookups_at_once_wait_for_each_other(settings: Settings) -> None:
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_record_ten, args=(settings.home, name)) for name in ("a", "b", "c")]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    log = read_lookups(settings)
    assert log.damages == ()
    assert {each.employee for each in log.found} == {f"{name}-{number}" for name in "abc" for number in range(10)}


def test_nobody_is_no_answer(settings: Settings) -> None:
    with pytest.raises(UsageError, match="--as NAME"):
        record_lookup(settings, "  ", "E1", "2026-08", "explain", WHEN)
    assert not log_of(settings).exists()


def test_what_cannot_be_recorded_is_not_shown(settings: Settings) -> None:
    log_of(settings).mkdir(parents=True)
    with pytest.raises(CsperfError, match="so nothing is shown"):
        record_lookup(settings, "Demo Clerk", "E1", "2026-08", "explain", WHEN)


@pytest.fixture
def explained(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The command with an explanation at hand; whether it shows it and what it records is the command's."""
    monkeypatch.setenv("CSPERF_HOME", str(settings.home))
    monkeypatch.setattr("csperf.explain.explain", lambda *_: Node("gross 77123.45"))
    monkeypatch.setattr("csperf.explain_tiers.explain_decision", lambda *_: Node("promote"))
    return settings


@pytest.mark.parametrize(
    ("options", "by"),
    [
        ([], None),
        (["--as", "Demo Clerk"], "Demo Clerk"),
        (["--as", "Demo Clerk", "--why", "a complaint"], "Demo Clerk"),
    ],
)
def test_a_script_is_recorded_under_its_account(explained: Settings, options: list[str], by: str | None) -> None:
    done = CliRunner().invoke(app, ["explain", "E1", "2026-08", *options])
    assert (done.exit_code, done.stdout.strip()) == (0, "gross 77123.45")
    (found,) = read_lookups(explained).found
    assert (found.by, found.account, found.employee, found.month) == (by or account(), account(), "E1", "2026-08")
    assert found.why == ("a complaint" if "--why" in options else None)
    assert "77123" not in log_of(explained).read_text()


def test_the_setting_names_who_asks(explained: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSPERF_ASKED_BY", "Demo Payroll")
    CliRunner().invoke(app, ["explain", "E1", "2026-08"])
    assert [each.by for each in read_lookups(explained).found] == ["Demo Payroll"]


@pytest.mark.parametrize(("typed", "by"), [("Demo Clerk\n", "Demo Clerk"), ("\n", account())])
def test_on_a_terminal_it_is_asked_for(
    explained: Settings, monkeypatch: pytest.MonkeyPatch, typed: str, by: str
) -> None:
    monkeypatch.setattr(cli_payroll, "_attended", lambda: True)
    done = CliRunner().invoke(app, ["explain", "E1", "2026-08"], input=typed)
    assert done.exit_code == 0 and "Who asks?" in done.stderr
    assert [each.by for each in read_lookups(explained).found] == [by]


def test_without_a_record_nothing_is_shown(explained: Settings) -> None:
    log_of(explained).mkdir(parents=True)
    done = CliRunner().invoke(app, ["explain", "E1", "2026-08"])
    assert done.exit_code == 1 and done.stdout == ""


def test_a_grade_is_no_pay(explained: Settings) -> None:
    assert CliRunner().invoke(app, ["explain", "E1", "2026Q3"]).exit_code == 0
    assert read_lookups(explained).lines == 0


def test_the_log_is_listed_and_checked(explained: Settings) -> None:
    three(explained)
    record_lookup(explained, "Demo Auditor", "*", "2026-08", "verify", WHEN)
    told = CliRunner().invoke(app, ["payroll", "lookups", "--employee", "E2"])
    assert told.exit_code == 0
    assert "E2" in told.stdout and "E1" not in told.stdout and "Demo Auditor" in told.stdout
    assert "Lines in the log: 4; digest of the last: " in told.stdout
    by = CliRunner().invoke(app, ["payroll", "lookups", "--by", "demo auditor"]).stdout
    assert "Demo Auditor" in by and "Demo Clerk" not in by
    log_of(explained).write_text("".join(log_of(explained).read_text().splitlines(keepends=True)[1:]))
    broken = CliRunner().invoke(app, ["payroll", "lookups"])
    assert isinstance(broken.exception, CsperfError) and "does not follow" in str(broken.exception)


def test_an_empty_log_is_no_damage(explained: Settings) -> None:
    assert CliRunner().invoke(app, ["payroll", "lookups"]).exit_code == 0
    assert not explained.payroll_dir.exists()
