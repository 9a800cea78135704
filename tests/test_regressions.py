"""Traps that other systems of this kind fell into, each with a test of its name. Amounts are worked by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from csperf import closing, warehouse
from csperf.explain import explain
from csperf.periods import Month
from csperf.settings import Settings
from tests.landing_files import land, message, session
from tests.small_company import START, chats, people, record_files, scheme
from tests.worked_warehouse import Worked, close, lines

JUNE, JULY, AUGUST, SEPTEMBER = (Month(2026, number) for number in (6, 7, 8, 9))
WHEN = datetime(2026, 8, 21, 9, tzinfo=UTC)

pytestmark = pytest.mark.xdist_group("regressions")  # one company serves most of them


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """June, closed by the company's own main scheme with 3100 as base pay, and July."""
    root = tmp_path_factory.mktemp("regressions")
    settings = Settings(home=root / "home", policy_dir=root / "plans")
    scheme(settings, (START, {"value: 3000": "value: 3100"}))
    for month in (JUNE, JULY):
        people(
            settings,
            month,
            {"employee_id": "main"},
            {"employee_id": "seller", "plan": "sales_commission", "base_salary": Decimal(3000)},
            {"employee_id": "caller", "plan": "call_center", "post": "vip"},
        )
    chats(settings, JUNE, caller=4)
    day = JULY.last_day
    land(settings, "chat_sessions", day, [session("bot", "main", f"{day}T09:00:00+08:00")])
    told = (("customer", "00:00"), ("bot", "00:05"), ("system", "00:06"), ("agent", "01:00"))
    messages = [message("bot", number, who, f"{day}T09:{at}+08:00") for number, (who, at) in enumerate(told, 1)]
    land(settings, "chat_messages", day, messages)
    land(settings, "orders", JUNE.last_day, [order(JUNE, 1000, 1200)])
    land(settings, "orders", JULY.last_day, [order(JULY, 1000, 100)])
    closing.close_month(settings, JUNE, "Demo Director", WHEN)
    return settings


def order(month: Month, amount: int, refund: int) -> dict[str, Any]:
    paid_at = f"{month.last_day}T10:00:00+08:00"
    key = {"order_id": str(month), "agent_id": "seller", "paid_at": paid_at, "silent": False}
    return {**key, "amount": Decimal(amount), "refund_amount": Decimal(refund)}


def query(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as con:
        return con.execute(sql).fetchall()


def measure(settings: Settings, who: str, month: Month, name: str) -> Decimal | float | None:
    found = query(
        settings,
        "select value from scorecards.measures where period_kind = 'month' "
        f"and employee_id = '{who}' and period = '{month}' and measure = '{name}'",
    )
    return found[0][0] if found else None


def test_a_refund_has_the_right_sign_and_is_taken_once(settings: Settings) -> None:
    assert measure(settings, "seller", JUNE, "net_sales") == -200
    assert measure(settings, "seller", JULY, "net_sales") == 900
    found = query(
        settings,
        "select pay_month, amount::varchar from payroll.computed_lines "
        "where employee_id = 'seller' and component = 'commission' order by 1",
    )
    # 200 more was refunded than sold in June: no commission, and July's 2 % are on 900 - 200.
    assert found == [("2026-06", "0.00"), ("2026-07", "14.00")]


def test_a_missing_score_component_is_not_counted_as_zero(settings: Settings) -> None:
    assert measure(settings, "caller", JUNE, "csat_rate") is None
    assert measure(settings, "caller", JUNE, "kpi_score") == 100  # (0.3 × 100 + 0.2 × 100) / 0.5, not 50


def test_bot_time_is_not_counted_as_the_agents(settings: Settings) -> None:
    assert measure(settings, "main", JULY, "response_seconds") == 60
    assert measure(settings, "main", JULY, "first_response_seconds") == 60


def test_no_zero_is_without_a_reason(settings: Settings) -> None:
    told = list(explain(settings, "seller", JUNE).lines())
    (line,) = (number for number, text in enumerate(told) if text.strip().startswith("commission 0.00"))
    assert any(text.strip().startswith("why zero: ") and len(text) > 20 for text in told[line : line + 4])
    zeros = query(settings, "select count(*) from payroll.computed_lines where amount = 0 and explanation is null")
    assert zeros == [(0,)]


def test_unticking_a_setting_does_not_rewrite_paid_history(settings: Settings) -> None:
    paid = "select * from payroll.pay_lines order by all"
    before, files = query(settings, paid), record_files(settings.payroll_dir)
    assert ("main", "2026-06", 1, "base_pay") in [row[:4] for row in before]
    unticked = settings.model_copy(update={"policy_dir": None})
    warehouse.build(unticked)
    assert query(unticked, paid) == before
    assert record_files(unticked.payroll_dir) == files
    now = "select amount from payroll.computed_lines where employee_id = 'main' and component = 'base_pay'"
    assert set(query(unticked, now)) == {(Decimal("3000.00"),)}  # what is open is computed by what is in force


def test_retro_pay_does_not_forget_earlier_corrections(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    pay = {month: {"E1": {"base_pay": "100.00"}} for month in ("2026-07", "2026-08", "2026-09")}
    worked = Worked(pay)
    worked.write(settings)
    close(settings, JULY)
    for amount, month, expected in (("120.00", AUGUST, "20.00"), ("150.00", SEPTEMBER, "30.00")):
        pay["2026-07"] = {"E1": {"base_pay": amount}}
        worked.write(settings)
        close(settings, JULY)
        close(settings, month)
        assert lines(settings, month, 1)[("E1", "retro_base_pay")] == Decimal(expected)
