"""What has changed since a revision, in words: landed rows by whose they are, rulings, plan versions, grades."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from csperf.basis import Basis, Input
from csperf.changes import changes, stepped
from csperf.kept_policies import keep_policies
from csperf.landing import partitions
from csperf.periods import Month
from csperf.policy.library import plan_files
from csperf.settings import Settings
from tests.landing_files import employee, land, message, session

JUNE = Month(2026, 6)
DAY = date(2026, 6, 30)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path / "home", policy_dir=tmp_path / "plans")
    plan(settings, 3000)
    land(settings, "employees", DAY, [employee("A"), employee("B")])
    chats(settings, "A", "B")
    land(settings, "disputes", DAY, [dispute("D1", "A", status="open")])
    return settings


def plan(settings: Settings, value: int, start: str | None = None) -> None:
    """The company's own main scheme: the shipped one with another base wage, from `start` on if that is given."""
    assert settings.policy_dir is not None
    settings.policy_dir.mkdir(exist_ok=True)
    shipped = next(path for path in plan_files(Settings()) if path.name == "cs_2017.yaml").read_text(encoding="utf-8")
    head, version = shipped.split("  - effective_from: 1900-01-01\n")
    changed = version.replace("value: 3000", f"value: {value}")
    versions = [("1900-01-01", changed)] if start is None else [("1900-01-01", version), (start, changed)]
    text = head + "".join(f"  - effective_from: {day}\n{content}" for day, content in versions)
    (settings.policy_dir / "cs_2017.yaml").write_text(text, encoding="utf-8")


def chats(settings: Settings, *agents: str) -> None:
    rows = [session(f"S{number}", agent, f"{DAY}T09:{number:02d}:00+08:00") for number, agent in enumerate(agents)]
    land(settings, "chat_sessions", DAY, rows)


def dispute(code: str, who: str, **given: Any) -> dict[str, Any]:
    asked = {"dispute_id": code, "employee_id": who, "month": "2026-06", "measure": "sessions", "requested_delta": 2}
    return {**asked, "status": "open", **given}


UPHELD = {
    "status": "upheld",
    "granted_delta": Decimal(2),
    "ruled_by": "M",
    "ruled_at": datetime(2026, 7, 3, 1, tzinfo=UTC),
}


def basis(settings: Settings) -> Basis:
    inputs: dict[str, dict[str, Input]] = {}
    for part in partitions(settings):
        assert part.version is not None and part.sha256 is not None
        inputs.setdefault(part.dataset, {})[str(part.business_date)] = Input(part.version, part.sha256)
    return Basis("c0de" * 4, keep_policies(settings)[0], inputs, {}, {})


def test_nothing_changed_is_no_cause(settings: Settings) -> None:
    assert changes(settings, basis(settings), basis(settings), JUNE) == {}


def test_landed_rows_are_told_to_whom_they_belong(settings: Settings) -> None:
    before = basis(settings)
    chats(settings, "A", "B", "A", "A")
    land(settings, "chat_messages", DAY, [message("S1", 1, "agent", f"{DAY}T09:01:00+08:00")])
    found = changes(settings, before, basis(settings), JUNE)
    assert list(found) == ["late_data"]
    versions = [
        f"version {old} → {new}"
        for old, new in (
            (before.inputs["chat_sessions"]["2026-06-30"].version[:8],
             basis(settings).inputs["chat_sessions"]["2026-06-30"].version[:8]),
            ("none", basis(settings).inputs["chat_messages"]["2026-06-30"].version[:8]),
        )
    ]  # fmt: skip
    change = found["late_data"]
    assert change.told("A", "cs_2017") == f"chat_sessions 2026-06-30 (+2 −0 rows, {versions[0]})"
    assert change.told("B", "cs_2017") == f"chat_messages 2026-06-30 (+1 −0 rows, {versions[1]})"
    assert change.told("C", "cs_2017").startswith("of others: chat_sessions 2026-06-30 (version")


def test_the_same_rows_in_another_delivery_are_no_cause(settings: Settings) -> None:
    before = basis(settings)
    land(settings, "targets", DAY, [{"employee_id": "A", "month": "2026-06", "measure": "net_sales", "target": 5}])
    middle = basis(settings)
    assert list(changes(settings, before, middle, JUNE)) == ["late_data"]
    rows = [
        {"employee_id": "A", "month": month, "measure": "net_sales", "target": 5} for month in ("2026-06", "2026-07")
    ]
    land(settings, "targets", date(2026, 7, 1), rows)  # only the next month's targets are new
    assert changes(settings, middle, basis(settings), JUNE) == {}


def test_a_ruling_is_a_cause_of_its_own(settings: Settings) -> None:
    before = basis(settings)
    land(settings, "disputes", date(2026, 7, 3), [dispute("D1", "A", **UPHELD), dispute("D2", "B", status="rejected")])
    upheld = basis(settings)
    found = changes(settings, before, upheld, JUNE)
    assert list(found) == ["dispute"]
    told = "dispute D1 upheld: sessions +2 for 2026-06, ruled by M on 2026-07-03 09:00"
    assert found["dispute"].told("A", None) == told
    assert found["dispute"].told("B", None) == f"of others: {told}"
    land(settings, "disputes", date(2026, 7, 4), [dispute("D1", "A", status="rejected")])
    found = changes(settings, upheld, basis(settings), JUNE)
    assert found["dispute"].told("A", None) == "dispute D1 no longer upheld: sessions +2 for 2026-06"


def test_a_ruling_on_a_later_month_is_no_cause(settings: Settings) -> None:
    before = basis(settings)
    land(settings, "disputes", date(2026, 7, 3), [dispute("D1", "A", **{**UPHELD, "month": "2026-07"})])
    assert changes(settings, before, basis(settings), JUNE) == {}


def test_plan_versions_are_told_with_their_figures(settings: Settings) -> None:
    before = basis(settings)
    plan(settings, 3100)
    found = changes(settings, before, basis(settings), JUNE)
    assert list(found) == ["policy"]
    told = "plan version cs_2017@1900-01-01 changed (base_wage 3000 → 3100)"
    assert found["policy"].told("A", "cs_2017") == told
    assert found["policy"].told("A", "rated") == f"of others: {told}"
    plan(settings, 3200, start="2026-06-01")
    found = changes(settings, before, basis(settings), JUNE)
    told = "plan version cs_2017@2026-06-01 in the place of cs_2017@1900-01-01 (base_wage 3000 → 3200)"
    assert found["policy"].told("A", "cs_2017") == told


def test_a_comment_in_a_plan_is_no_cause(settings: Settings) -> None:
    before = basis(settings)
    assert settings.policy_dir is not None
    path = settings.policy_dir / "cs_2017.yaml"
    path.write_text("# a comment\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert basis(settings).policies != before.policies
    assert changes(settings, before, basis(settings), JUNE) == {}


def test_causes_are_taken_one_after_the_other(settings: Settings) -> None:
    before = basis(settings)
    chats(settings, "A", "A")
    land(settings, "disputes", date(2026, 7, 3), [dispute("D1", "A", **UPHELD)])
    plan(settings, 3100)
    now = replace(basis(settings), code="other")
    assert list(changes(settings, before, now, JUNE)) == ["code", "late_data", "dispute", "policy"]
    first = stepped(before, now, {"code"})
    assert (first.inputs, first.policies) == (before.inputs, before.policies)
    second = stepped(before, now, {"code", "late_data"})
    assert second.inputs["chat_sessions"] == now.inputs["chat_sessions"]
    assert second.inputs["disputes"] == before.inputs["disputes"]
    third = stepped(before, now, {"code", "late_data", "dispute"})
    assert (third.inputs, third.policies) == (now.inputs, before.policies)
