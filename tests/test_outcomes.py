"""What can become of a delivery, each with the outcome that status and the run's report tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from csperf.ingest import IngestReport
from csperf.landing import partitions
from csperf.published import write_manifest
from csperf.status import DatasetStatus, look, sentences
from csperf.touched import touched
from csperf.views import kinds
from tests.shop import D1, D2, D3, ROSTER, TICKETS, Deliveries, person, states, ticket


@pytest.fixture
def shop(tmp_path: Path) -> Deliveries:
    return Deliveries(tmp_path)


def tickets(shop: Deliveries) -> DatasetStatus:
    (found,) = (entry for entry in look(shop.settings()).datasets if entry.name == "tickets")
    return found


def told(shop: Deliveries) -> list[str]:
    return [line for line in sentences(look(shop.settings())) if line.startswith("tickets")]


def state(report: IngestReport, day: date) -> str:
    return states(report)["tickets", day.day]


def test_no_delivery_is_missing_and_an_empty_one_is_empty(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS)
    shop.deliver("tickets", D3, TICKETS, ticket(1, D3))
    report = shop.take_in(D1, D2, D3)
    assert (state(report, D1), state(report, D2)) == ("landed", "missing")
    assert (tickets(shop).missing, tickets(shop).noted) == ((D2,), {"empty": (D1,)})
    assert told(shop) == ["tickets: no delivery for 2026-09-02.", "tickets: 2026-09-01: delivered without a row."]
    assert kinds(report.outcomes) == ["Empty: tickets of 2026-09-01."]


def test_a_late_delivery_is_one_that_comes_after_later_dates(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1))
    shop.deliver("tickets", D3, TICKETS, ticket(3, D3))
    shop.take_in(D1, D3)
    assert tickets(shop).noted == {}
    shop.deliver("tickets", D2, TICKETS, ticket(2, D2))
    report = shop.take_in(D3)  # found by itself among the days before
    assert (state(report, D2), tickets(shop).noted) == ("landed", {"late": (D2,)})
    assert told(shop) == ["tickets: 2026-09-02: came late, after later dates."]
    assert kinds(report.outcomes) == ["Late: tickets of 2026-09-02."]


def test_a_repeated_delivery_changes_nothing(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2, agent="NO"))
    shop.take_in()
    before, tree = look(shop.settings()), shop.tree()
    shop.deliver("tickets", D1, TICKETS, ticket(2, agent="NO"), ticket(1))
    report = shop.take_in()
    assert (state(report, D1), report.changed, kinds(report.outcomes)) == ("unchanged", False, [])
    assert (look(shop.settings()), shop.tree()) == (before, tree)


def test_a_corrected_delivery_replaces_its_date_and_is_told(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2))
    shop.take_in()
    shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(3), ticket(4, agent="NO"))
    report = shop.take_in()
    assert (state(report, D1), shop.accepted("tickets")) == ("landed", ["t1", "t3"])
    assert told(shop) == ["tickets: 2026-09-01: delivered again with other rows."]
    assert kinds(report.outcomes) == ["Corrected: tickets of 2026-09-01."]
    # A row that comes back from quarantine is no correction of the source's, and does not hide one.
    shop.deliver("employees", D1, ROSTER, person("E1"), person("E2"), person("NO"))
    shop.take_in()
    assert tickets(shop).noted == {"corrected": (D1,)} and tickets(shop).rows == 3


def test_a_delivery_withdrawn_by_an_empty_one_takes_its_rows_out(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1))
    shop.take_in()
    shop.deliver("tickets", D1, TICKETS)
    report = shop.take_in()
    assert (state(report, D1), shop.accepted("tickets")) == ("landed", [])
    assert "tickets: 2026-09-01: withdrawn; the date had rows and was delivered without any." in told(shop)
    assert kinds(report.outcomes) == ["Empty: tickets of 2026-09-01.", "Withdrawn: tickets of 2026-09-01."]


def test_a_delivery_that_the_source_has_no_more_stays_in_force_until_it_comes_again(shop: Deliveries) -> None:
    path = shop.deliver("tickets", D1, TICKETS, ticket(1))
    shop.deliver("tickets", D2, TICKETS, ticket(2, D2))
    shop.take_in(D1, D2)
    content = path.read_bytes()
    path.unlink()
    report = shop.take_in(D2)  # noticed by itself among the days before
    assert (state(report, D1), shop.accepted("tickets"), report.changed) == ("withdrawn", ["t1"], False)
    assert tickets(shop).gone == (D1,)
    assert "the source has it no more and what was landed stays in force" in told(shop)[0]
    assert kinds(report.outcomes) == ["Withdrawn: tickets of 2026-09-01."]
    since = shop.part("tickets").current.withdrawn
    shop.take_in(D2)
    assert shop.part("tickets").current.withdrawn == since  # since it was first seen
    path.write_bytes(content)
    shop.take_in(D2)
    assert tickets(shop).gone == () and told(shop) == []


def test_a_partial_delivery_is_taken_and_told(shop: Deliveries) -> None:
    weeks = [D1 + timedelta(weeks=number) for number in range(3)]
    for day in weeks[:2]:
        shop.deliver("tickets", day, TICKETS, *(ticket(number, day) for number in range(20)))
    shop.deliver("tickets", weeks[2], TICKETS, *(ticket(number, weeks[2]) for number in range(9)))
    report = shop.take_in(*weeks)
    assert state(report, weeks[2]) == "landed" and tickets(shop).noted == {"partial": (weeks[2],)}
    assert told(shop)[-1].startswith(
        f"tickets: {weeks[2]}: fewer than half the usual rows; if the delivery was cut off"
    )
    assert kinds(report.outcomes) == [f"Partial: tickets of {weeks[2]}."]


# ---- closed months ------------------------------------------------------------------------------------------------

PUBLISHED = datetime(2026, 10, 21, tzinfo=UTC)


def publish(shop: Deliveries, period: str, **given: Any) -> None:
    """A published revision of a month or quarter that rests on what is landed now."""
    inputs: dict[str, dict[str, Any]] = {}
    for part in partitions(shop.settings()):
        if part.path is not None:
            entry = {"version": part.version, "sha256": part.sha256}
            inputs.setdefault(part.dataset, {})[str(part.business_date)] = entry
    root = shop.settings().tiers_dir if "Q" in period else shop.settings().payroll_dir
    folder = root / period / "rev-001"
    folder.mkdir(parents=True)
    content = {
        **{"figures_digest": "x", "files": {}, "revision": 1, "status": "published", "code_digest": "c"},
        **{"published_at": PUBLISHED.isoformat(), "policies": {"digest": "p"}, "inputs": inputs},
        **{"approved_by": "M. Demo"},
        "record": {"payroll": {}, "tiers": {}},
    }
    write_manifest(folder, content | given)


def test_closed_periods_that_are_touched_are_named_with_what_touched_them(shop: Deliveries) -> None:
    names = ("late", "corrected", "empty", "gone", "refused", "back", "same")
    days = {name: date(2026, 9, day) for day, name in enumerate(names, 1)}
    october, roster = date(2026, 10, 1), date(2026, 9, 30)
    for name, day in days.items():
        if name != "late":
            shop.deliver(
                "tickets", day, TICKETS, ticket(1, day), ticket(2, day, agent="E7" if name == "back" else "E1")
            )
    shop.deliver("tickets", october, TICKETS, ticket(9, october))
    shop.take_in(*days.values(), october)
    for period in ("2026-08", "2026-09", "2026Q3"):
        publish(shop, period)
    assert touched(shop.settings(), partitions(shop.settings())) == []
    for name, lines in (("late", [ticket(1)]), ("corrected", [ticket(1, days["corrected"])]), ("empty", [])):
        shop.deliver("tickets", days[name], TICKETS, *lines)
    (shop.root / "tickets" / f"{days['gone']}.csv").unlink()
    (shop.root / "tickets" / f"{days['refused']}.csv").write_bytes(b"")
    shop.deliver("employees", roster, ROSTER, person("E1"), person("E7"))
    shop.take_in(*days.values(), roster, at=PUBLISHED + timedelta(days=1))
    month, quarter = touched(shop.settings(), partitions(shop.settings()))
    assert (month.period, quarter.period, month.changes) == ("2026-09", "2026Q3", quarter.changes)
    assert list(month.changes) == [
        "employees of 2026-09-30 (late)",
        "tickets of 2026-09-01 (late)",
        "tickets of 2026-09-02 (corrected)",
        "tickets of 2026-09-03 (empty, withdrawn)",
        "tickets of 2026-09-04 (withdrawn)",
        "tickets of 2026-09-05 (refused)",
        "tickets of 2026-09-06 (changed)",
    ]
    (line, other) = (line for line in sentences(look(shop.settings())) if "touched" in line)
    assert line.startswith("2026-09 is closed (revision 1) and touched since: employees of 2026-09-30 (late), tickets")
    assert line.endswith(
        "and 2 more; csperf backfill --from 2026-09 --to 2026-09 makes a new revision where its figures differ."
    )
    assert "--from 2026-07 --to 2026-09" in other


def test_a_closed_month_is_not_touched_by_what_says_the_same(shop: Deliveries) -> None:
    shop.deliver("tickets", D1, TICKETS, ticket(1))
    shop.take_in()
    publish(shop, "2026-09")
    shop.deliver("tickets", D1, TICKETS, ticket(1), "short,row")  # another version with the same accepted rows
    shop.take_in()
    assert touched(shop.settings(), partitions(shop.settings())) == []


def test_a_full_table_touches_the_months_whose_rows_differ(shop: Deliveries) -> None:
    head = "employee_id,month,measure,target"
    shop.deliver("tickets", D1, TICKETS, ticket(1))
    shop.deliver("targets", D1, head, "E1,2026-08,net_sales,100", "E1,2026-09,net_sales,100")
    shop.take_in()
    for period in ("2026-08", "2026-09"):
        publish(shop, period)
    shop.deliver("targets", D2, head, "E1,2026-08,net_sales,100", "E1,2026-09,net_sales,200")
    shop.take_in(D2)
    found = touched(shop.settings(), partitions(shop.settings()))
    assert [(each.period, each.changes) for each in found] == [("2026-09", ("targets of 2026-09-02 (other rows)",))]
    assert replace(found[0], changes=("x",) * 7).sentence.count("x, ") == 4
