"""Closing months and quarters on worked figures: order, approval, revisions, corrections."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from csperf import closing
from csperf.errors import CsperfError
from csperf.periods import Month, Quarter
from csperf.published import draft, load_published, newest, revisions
from csperf.settings import PROJECT_ROOT, Settings
from tests.worked_warehouse import WHEN, Worked, close, files_of, lines

JULY, AUGUST, SEPTEMBER, OCTOBER = (Month(2026, number) for number in (7, 8, 9, 10))
PAY = {"base_pay": "3000.00", "performance_pay": "175.25"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def close_quarter(settings: Settings, quarter: Quarter, approved_by: str = "Demo Director") -> closing.Closed:
    return closing._close_quarter(settings, quarter, approved_by, WHEN)


def test_a_month_is_drafted_and_published_by_somebody_else(settings: Settings) -> None:
    Worked({"2026-07": {"E1": PAY, "E2": {"base_pay": "10.00"}, "E3": {"base_pay": "0.00"}}}).write(settings)
    drafted = closing.draft_month(settings, JULY, WHEN)
    assert (drafted.revision, drafted.changed, drafted.employees, drafted.rows) == (1, True, 3, 4)
    assert not revisions(settings.payroll_dir, JULY)

    done = closing.publish_month(settings, JULY, drafted.digest, " Demo  Director ", WHEN)
    assert (done.number, done.manifest["approved_by"], done.manifest["control_total"]) == (
        1,
        "Demo Director",
        "3185.25",
    )
    assert done.manifest["approved_at"] == "2026-11-21T08:30:00+00:00"
    assert draft(settings.payroll_dir, JULY) is None
    assert lines(settings, JULY, 1)[("E1", "performance_pay")] == Decimal("175.25")
    with duckdb.connect(str(settings.warehouse_path)) as con:
        runs = con.execute("select pay_month, revision, status, control_total from published.payroll_runs").fetchall()
    assert runs == [("2026-07", 1, "published", Decimal("3185.25"))]


def test_the_record_is_private(settings: Settings) -> None:
    Worked({"2026-07": {"E1": PAY}}).write(settings)
    done = close(settings, JULY)
    assert done.revision is not None
    folder = done.revision.path
    assert {oct(path.stat().st_mode & 0o777) for path in (folder, folder.parent, folder.parent.parent)} == {"0o700"}
    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {"0o600"}
    assert {path.name for path in folder.iterdir()} == {
        "payroll_2026-07.csv", "payroll_2026-07.xlsx", "pay_lines_2026-07.parquet", "approval.md", "manifest.json"
    }  # fmt: skip


def test_without_an_approver_it_stops_at_a_draft(settings: Settings) -> None:
    Worked({"2026-07": {"E1": PAY}}).write(settings)
    done = closing._close_month(settings, JULY, None, WHEN)
    assert (done.outcome, done.revision) == ("draft", None)
    assert newest(settings.payroll_dir, JULY) is None
    with duckdb.connect(str(settings.warehouse_path)) as con:
        assert con.execute("select revision, status, approved_by from published.payroll_runs").fetchall() == [
            (1, "draft", None)
        ]
        assert con.execute("select count(*) from published.pay_lines").fetchall() == [(0,)]


@pytest.mark.parametrize("name", ["csperf", "CSPERF ", ""])
def test_the_preparer_and_nobody_cannot_approve(settings: Settings, name: str) -> None:
    Worked({"2026-07": {"E1": PAY}}).write(settings)
    drafted = closing.draft_month(settings, JULY, WHEN)
    with pytest.raises(CsperfError, match="approve"):
        closing.publish_month(settings, JULY, drafted.digest, name, WHEN)
    assert newest(settings.payroll_dir, JULY) is None


def test_only_the_figures_that_were_approved_are_published(settings: Settings) -> None:
    Worked({"2026-07": {"E1": PAY}}).write(settings)
    approved = closing.draft_month(settings, JULY, WHEN)
    Worked({"2026-07": {"E1": {**PAY, "base_pay": "3000.01"}}}).write(settings)
    with pytest.raises(CsperfError, match="changed since they were approved"):
        closing.publish_month(settings, JULY, approved.digest, "Demo Director", WHEN)
    redrafted = closing.draft_month(settings, JULY, WHEN)
    assert redrafted.digest != approved.digest
    with pytest.raises(CsperfError, match="changed since they were approved"):
        closing.publish_month(settings, JULY, approved.digest, "Demo Director", WHEN)
    assert newest(settings.payroll_dir, JULY) is None


def test_a_draft_that_was_touched_is_not_published(settings: Settings) -> None:
    Worked({"2026-07": {"E1": PAY}}).write(settings)
    drafted = closing.draft_month(settings, JULY, WHEN)
    (drafted.path / "payroll_2026-07.csv").write_text("employee_id,gross_pay\nE1,999999.00\n")
    with pytest.raises(CsperfError, match="differs from what was approved"):
        closing.publish_month(settings, JULY, drafted.digest, "Demo Director", WHEN)


def test_publishing_without_a_draft_is_refused(settings: Settings) -> None:
    Worked({"2026-07": {"E1": PAY}}).write(settings)
    drafted = closing.draft_month(settings, JULY, WHEN)
    shutil.rmtree(drafted.path)
    with pytest.raises(CsperfError, match="no draft of 2026-07"):
        closing.publish_month(settings, JULY, drafted.digest, "Demo Director", WHEN)


def test_equal_figures_make_no_new_revision_and_touch_nothing(settings: Settings) -> None:
    worked = Worked({"2026-07": {"E1": PAY}})
    worked.write(settings)
    close(settings, JULY)
    before = files_of(settings)
    worked.write(settings)
    again = close(settings, JULY)
    assert (again.outcome, again.draft.changed, again.draft.revision) == ("unchanged", False, 1)
    retried = closing.publish_month(settings, JULY, again.draft.digest, "Demo Director", WHEN)
    assert retried.number == 1
    assert files_of(settings) == before


def test_equal_figures_in_another_home_give_equal_bytes(settings: Settings, tmp_path: Path) -> None:
    other = Settings(home=tmp_path / "other")
    for each in (settings, other):
        Worked({"2026-07": {"E2": PAY, "E1": PAY}}).write(each)
        close(each, JULY)
    here, there = ({name: content for name, (content, _) in files_of(each).items()} for each in (settings, other))
    assert here == there
    assert len(here) == 5


def test_an_incomplete_month_is_refused(settings: Settings) -> None:
    Worked({"2026-07": {"E1": PAY}}, landed_until="2026-07-30").write(settings)
    with pytest.raises(CsperfError, match="2026-07 is not complete: the newest landed business date is 2026-07-30"):
        closing.draft_month(settings, JULY, WHEN)


def test_missing_days_are_told_to_the_approver(settings: Settings) -> None:
    Worked({"2026-07": {"E1": PAY}}, gaps=["2026-07-03", "2026-07-09"]).write(settings)
    drafted = closing.draft_month(settings, JULY, WHEN)
    assert "attendance: no accepted delivery on 2 days between 2026-07-03 and 2026-07-09" in drafted.warnings
    assert "E2, E3: no pay line on plan cs_2017, and no paid day in the month." in drafted.warnings
    assert "for the director to rule on: E3" in drafted.warnings


def test_months_are_closed_in_their_order(settings: Settings) -> None:
    Worked({month: {"E1": PAY} for month in ("2026-06", "2026-07", "2026-08", "2026-09")}).write(settings)
    close(settings, JULY)  # the first one ever may be any
    with pytest.raises(CsperfError, match="2026-09 cannot be closed while 2026-08 is open"):
        closing.draft_month(settings, SEPTEMBER, WHEN)
    close(settings, AUGUST)
    assert close(settings, SEPTEMBER).outcome == "published"


def test_a_double_line_and_a_stranger_are_refused(settings: Settings) -> None:
    Worked({"2026-07": {"E1": PAY}}, left={"E1": "2026-07"}).write(settings)
    with pytest.raises(CsperfError, match="employee E1 has pay lines but was not employed"):
        closing.draft_month(settings, JULY, WHEN)
    Worked({"2026-07": {"E1": PAY}}).write(settings)
    with duckdb.connect(str(settings.warehouse_path)) as con:
        con.execute("insert into payroll.computed_lines select * from payroll.computed_lines")
    with pytest.raises(CsperfError, match="employee E1 has base_pay twice"):
        closing.draft_month(settings, JULY, WHEN)


def test_decisions_are_published_and_revised(settings: Settings) -> None:
    quarter = Quarter(2026, 3)
    pay = {str(month): {"E1": PAY} for month in quarter.months}
    Worked(pay, decisions={"2026Q3": [("E1", "promote", "intermediate"), ("E2", "hold", "senior")]}).write(settings)
    done = close_quarter(settings, quarter)
    assert (done.outcome, done.draft.counts) == ("published", {"hold": 1, "promote": 1})
    assert close_quarter(settings, quarter).outcome == "unchanged"
    with duckdb.connect() as con:
        promoted = load_published(con, settings)

    Worked(pay, decisions={"2026Q3": [("E1", "hold", "junior"), ("E2", "hold", "senior")]}).write(settings)
    done = close_quarter(settings, quarter)
    assert done.revision is not None and done.revision.number == 2
    with duckdb.connect() as con:
        assert load_published(con, settings) != promoted
        assert con.execute(
            "select revision, decision, effective_from::varchar from published.tier_decisions "
            "where employee_id = 'E1' order by revision"
        ).fetchall() == [(1, "promote", "2026-10-01"), (2, "hold", "2026-10-01")]


def test_an_undecided_quarter_is_told_when_the_next_month_is_closed(settings: Settings) -> None:
    decisions = {"2026Q3": [("E1", "promote", "intermediate")]}
    Worked({"2026-09": {}, "2026-10": {"E1": PAY}}, decisions=decisions).write(settings)
    sentence = "2026Q3 has 1 changes of grade that are not approved; this month is without them"
    assert sentence in closing.draft_month(settings, OCTOBER, WHEN).warnings
    close_quarter(settings, Quarter(2026, 3))
    assert sentence not in closing.draft_month(settings, OCTOBER, WHEN).warnings


def test_a_closed_month_that_would_come_out_otherwise_is_told(settings: Settings) -> None:
    pay = {"2026-07": {"E1": PAY}, "2026-08": {"E1": PAY}}
    Worked(pay).write(settings)
    close(settings, JULY)
    pay["2026-07"] = {"E1": {**PAY, "base_pay": "2999.00"}}
    Worked(pay).write(settings)
    assert any("2026-07" in sentence for sentence in closing.draft_month(settings, AUGUST, WHEN).warnings)


_KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from csperf import closing
from csperf.periods import Month
from csperf.settings import Settings

seen = 0
def on_event(name, arguments):
    global seen
    writing = name == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if name in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod") or writing:
        if seen == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1
settings, month = Settings(home=Path(sys.argv[1])), Month(2026, 7)
when = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
sys.addaudithook(on_event)
closing.publish_month(settings, month, sys.argv[3], "Demo Director", when)
print(seen)
"""


@pytest.fixture(scope="module")
def published_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], int]:
    """The files of an undisturbed publication, and how many writing calls it makes."""
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    Worked({"2026-07": {"E1": PAY}}).write(Settings(home=home))
    result = _run_killed(home, 10**6)
    assert result.returncode == 0, result.stderr
    return _contents(home), int(result.stdout)


def _run_killed(home: Path, at: int) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    drafted = closing.draft_month(Settings(home=home), JULY, WHEN)
    command = [sys.executable, "-c", _KILLED, str(home), str(at), drafted.digest]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def _contents(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in (home / "payroll").rglob("*") if path.is_file()}


@pytest.mark.parametrize("part", [0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99])
def test_a_kill_during_publication_leaves_the_old_or_the_new(
    tmp_path: Path, published_once: tuple[dict[str, bytes], int], part: float
) -> None:
    whole, calls = published_once
    home = tmp_path / "home"
    settings = Settings(home=home)
    Worked({"2026-07": {"E1": PAY}}).write(settings)
    result = _run_killed(home, int(calls * part))
    assert result.returncode == -signal.SIGKILL
    found = revisions(settings.payroll_dir, JULY)
    assert len(found) <= 1
    close(settings, JULY)
    assert _contents(home) == whole
    assert json.loads((newest(settings.payroll_dir, JULY).path / "manifest.json").read_text())["revision"] == 1  # type: ignore[union-attr]
