"""Four months of a small company: late chats, a ruling, a plan's new version from a past date, a chat withdrawn.

Whatever was published stays as it is, byte for byte; what was paid in the end is what one computation over the final
records gives; each cent of difference has one cause; and every revision can be proven. Amounts are worked by hand
(see `small_company`): a chat is 0.60, of a vip 0.75.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from csperf import closing, warehouse
from csperf.explain import explain
from csperf.landing import partition
from csperf.periods import Month
from csperf.published import load_published, newest
from csperf.settings import PROJECT_ROOT, Settings
from csperf.verify import verify
from tests.landing_files import land
from tests.small_company import START, chats, disputes, people, record_files, scheme

JUNE, JULY, AUGUST, SEPTEMBER = (Month(2026, number) for number in (6, 7, 8, 9))
DIRECTOR = "Demo Director"
PEOPLE = [
    {"employee_id": "A"},
    {"employee_id": "B"},
    {"employee_id": "C", "post": "vip", "leave_date": date(2026, 7, 31)},
]

pytestmark = pytest.mark.xdist_group("ledger")  # one company serves all of them


@dataclass
class Company:
    settings: Settings
    seen: dict[str, bytes] = field(default_factory=dict)
    """Every published file as it was when it was first seen."""

    def close(self, *periods: tuple[Month, int]) -> None:
        """Build, then close months, each of which must give that revision and leave every earlier byte alone."""
        at = datetime(2026, 10, 21, 9, tzinfo=UTC)
        warehouse.build(self.settings)
        for month, revision in periods:
            done = closing._close_month(self.settings, month, DIRECTOR, at)
            assert (done.outcome, done.draft.revision) == ("published", revision), (month, done)
        for name, content in record_files(self.settings.payroll_dir).items():
            assert self.seen.setdefault(name, content) == content, f"{name} was changed"

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect() as con:
            load_published(con, self.settings)
            return con.execute(sql).fetchall()


def dispute(code: str, who: str, month: Month, delta: int, measure: str = "sessions") -> dict[str, Any]:
    ruling = {
        "ruled_by": "Demo Ruler",
        "ruled_at": datetime(2026, 8, 5, 1, tzinfo=UTC),
        "granted_delta": Decimal(delta),
    }
    asked = {"dispute_id": code, "employee_id": who, "month": str(month), "measure": measure, "requested_delta": delta}
    return {**asked, "status": "upheld", **ruling}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """The four months, closed and corrected as they went."""
    root = tmp_path_factory.mktemp("ledger")
    settings = Settings(home=root / "home", policy_dir=root / "plans")
    scheme(settings, (START, {}))
    made = Company(settings)

    people(settings, JUNE, *PEOPLE)
    chats(settings, JUNE, A=10, B=5, C=5)
    made.close((JUNE, 1))

    chats(settings, JUNE, A=12, B=5, C=9)  # late: two of A, four of C
    people(settings, JULY, *PEOPLE)
    chats(settings, JULY, A=4, B=4, C=4)
    made.close((JUNE, 2), (JULY, 1))

    disputes(settings, date(2026, 8, 5), dispute("D1", "B", JUNE, 5), dispute("D2", "A", JULY, 1))
    people(settings, AUGUST, *PEOPLE[:2])
    chats(settings, AUGUST, A=6, B=6)
    made.close((JUNE, 3), (JULY, 2), (AUGUST, 1))

    scheme(settings, (START, {}), ("2026-07-01", {"value: 3000": "value: 3100", "value: 0.5": "value: 0.6"}))
    chats(settings, JUNE, A=12, B=5, C=8)  # a chat of C and one of A are withdrawn
    chats(settings, AUGUST, A=5, B=6)
    people(settings, SEPTEMBER, *PEOPLE[:2])
    chats(settings, SEPTEMBER, A=3, B=3)
    made.close((JUNE, 4), (JULY, 3), (AUGUST, 2), (SEPTEMBER, 1))
    return made


def test_each_cent_of_difference_has_one_cause(company: Company) -> None:
    found = company.query(
        "select pay_month, revision, employee_id, component, cause, amount::varchar from published.corrections "
        "where not starts_with(component, 'retro_') order by all"
    )
    assert found == [
        ("2026-06", 2, "A", "performance_pay", "late_data", "1.20"),
        ("2026-06", 2, "C", "performance_pay", "late_data", "3.00"),
        ("2026-06", 3, "B", "performance_pay", "dispute", "3.00"),
        ("2026-06", 4, "C", "performance_pay", "late_data", "-0.75"),
        ("2026-07", 2, "A", "performance_pay", "dispute", "0.60"),
        ("2026-07", 3, "A", "base_pay", "policy", "100.00"),
        ("2026-07", 3, "A", "performance_pay", "policy", "10.60"),
        ("2026-07", 3, "B", "base_pay", "policy", "100.00"),
        ("2026-07", 3, "B", "performance_pay", "policy", "10.48"),
        ("2026-07", 3, "C", "base_pay", "policy", "100.00"),
        ("2026-07", 3, "C", "performance_pay", "policy", "10.60"),
        ("2026-08", 2, "A", "base_pay", "policy", "100.00"),
        ("2026-08", 2, "A", "performance_pay", "late_data", "-0.60"),
        ("2026-08", 2, "A", "performance_pay", "policy", "10.60"),
        ("2026-08", 2, "B", "base_pay", "policy", "100.00"),
        ("2026-08", 2, "B", "performance_pay", "policy", "10.72"),
    ]


def test_corrections_are_paid_once_each_in_the_first_month_open(company: Company) -> None:
    found = company.query(
        "select distinct pay_month, employee_id, component, amount::varchar from published.pay_lines "
        "where starts_with(component, 'retro_') order by all"
    )
    assert found == [
        ("2026-07", "A", "retro_performance_pay", "1.20"),
        ("2026-07", "C", "retro_performance_pay", "3.00"),
        ("2026-08", "A", "retro_performance_pay", "0.60"),
        ("2026-08", "B", "retro_performance_pay", "3.00"),
        ("2026-09", "A", "retro_base_pay", "200.00"),
        ("2026-09", "A", "retro_performance_pay", "20.60"),
        ("2026-09", "B", "retro_base_pay", "200.00"),
        ("2026-09", "B", "retro_performance_pay", "21.20"),
        ("2026-09", "C", "retro_base_pay", "100.00"),
        ("2026-09", "C", "retro_performance_pay", "9.85"),
    ]


def test_the_causes_of_what_is_paid_add_up_and_name_what_changed(company: Company) -> None:
    assert (
        company.query(
            "with lines as (select pay_month, revision, employee_id, component, amount from published.pay_lines "
            "where starts_with(component, 'retro_')), causes as (select pay_month, revision, employee_id, component, "
            "sum(amount) as amount from published.corrections where starts_with(component, 'retro_') group by all) "
            "(from lines except from causes) union all (from causes except from lines)"
        )
        == []
    )
    told = company.query(
        "select for_month, cause, amount::varchar, changed from published.corrections "
        "where pay_month = '2026-09' and component = 'retro_performance_pay' and employee_id = 'A' order by all"
    )
    assert [row[:3] for row in told] == [
        ("2026-07", "policy", "10.60"),
        ("2026-08", "late_data", "-0.60"),
        ("2026-08", "policy", "10.60"),
    ]
    assert told[0][3].startswith(
        "plan version cs_2017@2026-07-01 in the place of cs_2017@1900-01-01 (base_wage 3000 → "
    )
    assert told[1][3].startswith("chat_sessions 2026-08-31 (+0 −1 rows, version ")


def test_what_was_paid_in_all_is_what_one_computation_over_the_final_records_gives(
    company: Company, tmp_path: Path
) -> None:
    fresh = Settings(home=tmp_path / "fresh", policy_dir=company.settings.policy_dir)
    for month, counts in (
        (JUNE, {"A": 12, "B": 5, "C": 8}),
        (JULY, {"A": 4, "B": 4, "C": 4}),
        (AUGUST, {"A": 5, "B": 6}),
        (SEPTEMBER, {"A": 3, "B": 3}),
    ):
        people(fresh, month, *PEOPLE[: len(counts)])
        chats(fresh, month, **counts)
    disputes(fresh, date(2026, 8, 5), dispute("D1", "B", JUNE, 5), dispute("D2", "A", JULY, 1))
    warehouse.build(fresh)
    query = "select employee_id, sum(amount)::varchar from {} group by employee_id order by 1"
    with duckdb.connect(str(fresh.warehouse_path), read_only=True) as con:
        due = con.execute(query.format("payroll.computed_lines")).fetchall()
    assert company.query(query.format("(from published.pay_lines where revision = 1)")) == due
    # A by hand: base 3000 + 3 × 3100; points 114.4 of June at 0.5, 106, 106 and 103.6 since July at 0.6.
    assert due[0] == ("A", "12546.56")


def test_who_has_left_is_on_the_list_of_those_who_have_left(company: Company) -> None:
    september = newest(company.settings.payroll_dir, SEPTEMBER)
    assert september is not None
    leavers = (september.path / "leavers_2026-09.csv").read_text(encoding="utf-8-sig").splitlines()
    assert leavers[1:] == ["C,Example C,T1,vip,junior,cs_2017,2026-07-31,100.00,9.85,109.85,0.00,2026-10-25"]
    assert "\nC," not in (september.path / "payroll_2026-09.csv").read_text(encoding="utf-8-sig")


def test_a_retro_line_is_explained_down_to_the_ruling(company: Company) -> None:
    told = "\n".join(explain(company.settings, "B", AUGUST).lines())
    assert "retro_performance_pay 3.00" in told
    assert "dispute 3.00: dispute D1 upheld: sessions +5 for 2026-06, ruled by Demo Ruler on 2026-08-05 09:00" in told


def test_every_revision_is_proven_and_a_changed_byte_is_named(company: Company, tmp_path: Path) -> None:
    done = verify(company.settings)
    assert [(each.month, each.revision, each.equal) for each in done] == [
        (month, number, True)
        for month, numbers in (("2026-06", 4), ("2026-07", 3), ("2026-08", 2), ("2026-09", 1))
        for number in range(1, numbers + 1)
    ], done
    assert record_files(company.settings.payroll_dir) == company.seen

    copied = company.settings.model_copy(update={"home": tmp_path / "home"})
    shutil.copytree(company.settings.home, copied.home)
    part = partition(copied, "chat_sessions", JULY.last_day)
    assert part is not None and part.path is not None
    content = bytearray(part.path.read_bytes())
    content[len(content) // 2] ^= 1
    part.path.write_bytes(content)
    assert [each.equal for each in verify(copied, JUNE, 1)] == [True]
    for each in verify(copied, JULY):
        (damage,) = each.damages
        assert f"{part.path} (chat_sessions of 2026-07-31) is not what was landed" in damage


def test_of_two_closings_at_once_one_wins_and_the_other_says_so(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    people(settings, JUNE, {"employee_id": "A"})
    chats(settings, JUNE, A=3)
    land(settings, "disputes", JUNE.last_day, [])
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "csperf", "close-month", "2026-06", "--approved-by", name],
            env={"CSPERF_HOME": str(settings.home), "PYTHONPATH": str(PROJECT_ROOT), "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("Demo First", "Demo Second")
    ]
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    revision = newest(settings.payroll_dir, JUNE)
    assert revision is not None and revision.number == 1
    winner = revision.manifest["approved_by"]
    won, lost = outputs if winner == "Demo First" else outputs[::-1]
    assert "Published in" in won[0]
    assert f"2026-06 is closed as revision 1 already, approved by {winner}" in lost[0]
    assert not (settings.payroll_dir / "2026-06" / "draft").exists()
