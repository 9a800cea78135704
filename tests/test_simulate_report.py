"""What a simulation shows, of lines made here, and of a month that was published otherwise than it comes out today."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from csperf.console import as_text
from csperf.errors import UsageError
from csperf.periods import Month
from csperf.settings import Settings
from csperf.simulate import Decision, Line, MonthState, Person, Simulation, Unpaid, _months
from csperf.simulate_report import csv_text, json_text, kind, markdown, terminal, write
from tests.worked_warehouse import Worked, close

JULY, AUGUST, SEPTEMBER = (Month(2026, number) for number in (7, 8, 9))
OPEN = MonthState("2026-09", None, SEPTEMBER.last_day, True, 0, Decimal(0))
FORMULA = Person("E|1", "=Demo, Ä*", "T1", "p_1")


def line(who: Person, component: str, before: str | None, after: str | None, group: str = "pay") -> Line:
    amounts = [Decimal(amount) if amount is not None else None for amount in (before, after)]
    return Line("2026-09", who, component, group, *amounts)


def simulation(*lines: Line, months: tuple[MonthState, ...] = (OPEN,), **more: Any) -> Simulation:
    told = {"p_1": "plan version p_1@2026-01-01 changed (rate 60 → 70)"}
    made = Simulation(Path("new"), ("a" * 64, "b" * 64), told, (), months, lines, (), (), {})
    return replace(made, **more)


def test_what_was_published_otherwise_is_told_apart(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    paid = {"E1": {"base_pay": "3000.00", "pension_employee": "240.00"}, "E2": {"base_pay": "4000.00"}}
    Worked({"2026-07": paid}).write(settings)
    assert close(settings, JULY).outcome == "published"
    today = {"E1": {"base_pay": "3000.00", "pension_employee": "250.00"}, "E2": {"base_pay": "4010.50"}}
    Worked({"2026-07": today, "2026-08": today}, landed_until="2026-08-15").write(settings)
    july, august = _months(settings, JULY, AUGUST)
    assert (july.revision, july.complete, july.otherwise, july.by) == (1, True, 2, Decimal("10.50"))
    assert (august.revision, august.complete, august.landed_until) == (None, False, date(2026, 8, 15))
    assert (august.otherwise, august.by) == (0, Decimal(0))
    told = "\n".join(map(str, terminal(simulation(months=(july, august)), False, True)))
    assert "the plans in force come to other pay today for 2 people (+10.50 gross)" in told
    assert "2026-08: open, landed until 2026-08-15" in told


def test_markdown_can_be_pasted_and_csv_has_every_line() -> None:
    made = simulation(
        line(FORMULA, "bonus", None, "33.33"),
        line(FORMULA, "fund", "10.00", "10.33", "contribution"),
        line(FORMULA, "wage", "1000.00", "1000.00"),
        line(Person("E2", "Demo Bo", None, "p_1"), "wage", "1000.00", "999.90"),
        decisions=(Decision("2026Q3", FORMULA, "junior", "hold", "promote to senior from 2026-10-01", "many chats"),),
        unpaid=(Unpaid("2026-09", FORMULA, "meal", "no entry"),),
        plans_gone={"p_0": 2},
        warnings=("p_1.yaml: warning: odd.",),
    )
    text = markdown(made, everybody=False, names=True)
    assert "| gross pay | 2,000.00 | 2,033.23 | +33.23 |" in text
    assert "| contributions | 10.00 | 10.33 | +0.33 |" in text
    assert "Of 2 people 1 get more gross pay, 1 less and 0 the same." in text
    assert "| E\\|1 | =Demo, Ä\\* | T1 | p_1 | gross pay | 1,000.00 | 1,033.33 | +33.33 |" in text
    assert "|  |  |  |  | bonus | – | 33.33 | +33.33 |" in text
    assert "| (none) | 1 | 0 | 1 | 1,000.00 | 999.90 | -0.10 | 0.00 |" in text
    assert (
        "| 2026Q3 | E\\|1 | =Demo, Ä\\* | T1 | p_1 | junior | hold | promote to senior from 2026-10-01 | many" in text
    )
    assert "| 2026-09 | E\\|1 | =Demo, Ä\\* | T1 | p_1 | meal | no entry |" in text
    assert "- The plan p_0 is gone, and 2 people on it would have no pay lines until the roster is mended." in text
    assert "\np_1.yaml: warning: odd.\n" in text
    assert "Demo" not in markdown(made, everybody=False, names=False)
    assert csv_text(made, names=True).splitlines() == [
        "month,employee_id,name,team,plan,component,component_group,before,after,difference",
        '2026-09,E|1,"\'=Demo, Ä*",T1,p_1,bonus,pay,,33.33,33.33',
        '2026-09,E|1,"\'=Demo, Ä*",T1,p_1,fund,contribution,10.00,10.33,0.33',
        '2026-09,E|1,"\'=Demo, Ä*",T1,p_1,wage,pay,1000.00,1000.00,0.00',
        "2026-09,E2,Demo Bo,,p_1,wage,pay,1000.00,999.90,-0.10",
    ]
    assert csv_text(made, names=False).splitlines()[1] == "2026-09,E|1,T1,p_1,bonus,pay,,33.33,33.33"
    assert "Demo" not in json_text(made, names=False)


def test_the_largest_differences_are_shown_and_the_rest_is_counted() -> None:
    lines = [
        line(Person(f"E{number:02d}", None, "T", "p"), "wage", "100.00", f"{100 - number}.00") for number in range(26)
    ]
    told = as_text(*terminal(simulation(*lines), everybody=False, names=True))
    assert "… and 5 more; --all shows them." in told
    assert "E25" in told and "E06" in told and "E05" not in told
    assert told.index("E25") < told.index("E06")
    everybody = as_text(*terminal(simulation(*lines), everybody=True, names=True))
    assert "E01" in everybody and "E00" not in everybody and "--all" not in everybody


def test_nothing_changed_is_said() -> None:
    made = simulation(line(FORMULA, "wage", "1.00", "1.00"), line(FORMULA, "extra", None, "0.00"))
    for text in (as_text(*terminal(made, False, True)), markdown(made, False, True)):
        assert "Nothing changes: every pay line of 1 person comes out the same." in text
        assert "By employee" not in text


def test_a_file_names_its_kind_and_never_lies_in_home(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    assert kind(settings, None, None) == "text"
    assert [kind(settings, None, tmp_path / name) for name in ("a.md", "a.csv", "a.json", "a")] == [
        *("md", "csv", "json", "text")
    ]
    assert kind(settings, "csv", tmp_path / "a.json") == "csv"
    with pytest.raises(UsageError, match="is a folder"):
        kind(settings, "md", tmp_path)
    with pytest.raises(UsageError, match="lies in CSPERF_HOME"):
        kind(settings, "md", tmp_path / "home" / "payroll" / "a.md")
    write(tmp_path / "a.csv", "csv", "Ä\n")
    assert (tmp_path / "a.csv").read_bytes() == b"\xef\xbb\xbf\xc3\x84\n"
    assert (tmp_path / "a.csv").stat().st_mode & 0o777 == 0o600
