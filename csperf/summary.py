"""What the approver of a month or quarter is shown: what is in it, what has changed, what is still open.

Twice: as facts without a single amount, which go into the manifest, into logs and into Airflow, and as a page
`approval.md` with the amounts, which lies in the private folder of the draft and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import duckdb

from csperf.gate import change, newest_paid, one, percent, total_gross
from csperf.periods import Month, Quarter
from csperf.settings import Settings

PAGE = "approval.md"
LISTED = 10
"""Largest changes and names that are listed; the rest is counted, or stands in the page."""

Facts = Mapping[str, Any]


def month_facts(con: duckdb.DuckDBPyConnection, settings: Settings, month: Month, revision: int) -> dict[str, Any]:
    """The facts of a prepared month (see `figures.prepare_month`) beside the month before; fills `changes`.

    People are compared by what they are paid, contributions left out.
    """
    before = newest_paid(con, month.plus(-1))
    con.execute(_CHANGES, {"before": str(month.plus(-1)), "revision": before.revision if before else 0})
    limit = Decimal(str(settings.change_shown))
    changed = con.execute(
        "select employee_id, change from changes where abs(change) >= ? order by abs(change) desc, employee_id", [limit]
    ).fetchall()
    employees = int(one(con, "select count(*) from draft.people where active")[0])
    facts: dict[str, Any] = {
        "employees": employees,
        "lines": {
            str(group): int(count)
            for group, count in con.execute(
                "select component_group, count(*) from draft.lines group by 1 order by 1"
            ).fetchall()
        },
        "open_disputes": open_disputes(con, "0000-00", str(month)),
    }
    if revision > 1:
        facts["differ_from_last_revision"] = int(one(con, _REVISED, [str(month), revision - 1])[0])
    if before is not None:
        facts |= {
            "before": f"{month.plus(-1)} revision {before.revision}",
            "employees_before": before.employees,
            "total_change": percent(change(total_gross(con), before.total)),
            "change_shown": f"{limit:.0%}",
            "changed_people": len(changed),
            "largest_changes": [{"employee_id": who, "change": percent(share)} for who, share in changed[:LISTED]],
            "newly_paid": int(one(con, "select count(*) from changes where before is null and now <> 0")[0]),
            "no_longer_paid": int(one(con, "select count(*) from changes where now is null and before <> 0")[0]),
        }
    return facts


def month_page(
    con: duckdb.DuckDBPyConnection, month: Month, revision: int, facts: Facts, gate: Facts, names: bool = True
) -> str:
    """The page of a month, amounts included; `changes` was filled by `month_facts`."""
    before = newest_paid(con, month.plus(-1))
    rows: list[Sequence[object]] = [
        ("employees", facts["employees"], facts.get("employees_before", "")),
        ("total gross", _money(total_gross(con)), _money(before.total) if before else ""),
    ]
    sums = con.execute(
        "with newest as (select max(revision) as revision from published.payroll_runs "
        "where pay_month = $before and status = 'published'), "
        "now as (select component_group, count(*) as lines, sum(amount) as amount from draft.lines group by all), "
        "then_paid as ("
        "select component_group, sum(amount) as amount from published.pay_lines join newest using (revision) "
        "where pay_month = $before group by all) "
        "select component_group, coalesce(lines, 0), now.amount, then_paid.amount "
        "from now full join then_paid using (component_group) order by 1",
        {"before": str(month.plus(-1))},
    ).fetchall()
    rows += [(f"{group}, {lines:,} lines", _money(now), _money(then)) for group, lines, now, then in sums]
    compared = facts.get("before", "nothing to compare with")
    parts = [
        f"# Payroll {month}, revision {revision}: for approval",
        "CNY. Confidential: amounts stand here and in the extract beside it, nowhere else.",
        _table(("", str(month), compared), rows),
    ]
    if "before" in facts:
        largest = con.execute(
            "select employee_id, name, now, before, change from changes left join draft.people using (employee_id) "
            "where change <> 0 order by abs(change) desc, employee_id limit 30"
        ).fetchall()
        parts += [
            f"## Largest changes against {compared}",
            f"{facts['changed_people']} people by {facts['change_shown']} or more; {facts['newly_paid']} paid now and "
            f"not then, {facts['no_longer_paid']} then and not now.",
            _table(
                ("employee", *(["name"] if names else []), "gross now", "gross then", "change"),
                [
                    (who, *([name] if names else []), _money(now), _money(then), percent(share))
                    for who, name, now, then, share in largest
                ],
            ),
        ]
    if gate["without_lines"]:
        parts += [
            "## Without a pay line",
            _table(
                ("why", "people", ""),
                [
                    (each["reason"], len(each["employees"]), ", ".join(each["employees"]))
                    for each in gate["without_lines"]
                ],
            ),
        ]
    parts += _gate(gate) + _disputes(facts)
    return "\n\n".join(parts) + "\n"


def quarter_facts(con: duckdb.DuckDBPyConnection, quarter: Quarter) -> dict[str, Any]:
    """The facts of a quarter's prepared decisions (see `figures.prepare_quarter`)."""
    rows = con.execute(
        "select decision, list(employee_id order by employee_id) from draft.decisions "
        "where decision not in ('hold', 'not_rated') group by decision order by decision"
    ).fetchall()
    months = quarter.months
    return {
        "decided": {str(decision): people for decision, people in rows},
        "open_disputes": open_disputes(con, str(months[0]), str(months[2])),
    }


def quarter_page(con: duckdb.DuckDBPyConnection, quarter: Quarter, revision: int, facts: Facts) -> str:
    """The page of a quarter: everyone whose grade would change or is to be looked at."""
    rows = con.execute(
        "select decisions.employee_id, name, decision, grade_before, grade_after, effective_from, reason "
        "from draft.decisions left join ("
        "select employee_id, name from csperf.measures.roster_monthly where month_start = ?) using (employee_id) "
        "where decision not in ('hold', 'not_rated') order by decision, decisions.employee_id",
        [quarter.months[2].first_day],
    ).fetchall()
    counts = con.execute("select decision, count(*) from draft.decisions group by 1 order by 1").fetchall()
    parts = [
        f"# Grade decisions {quarter}, revision {revision}: for approval",
        _table(("decision", "people"), counts),
        "## Whose grade changes",
        _table(("employee", "name", "decision", "from", "to", "from date", "why"), rows) if rows else "Nobody's.",
    ]
    return "\n\n".join([*parts, *_disputes(facts)]) + "\n"


def told(facts: Facts, gate: Facts, refusals: Iterable[Facts]) -> list[str]:
    """The facts as sentences without amounts, for Airflow and for output that is no terminal."""
    lines = []
    if "before" in facts:
        lines.append(
            f"Against {facts['before']}: {facts['employees']:,} people after {facts['employees_before']:,}, total "
            f"gross {facts['total_change']}; {facts['changed_people']:,} people by {facts['change_shown']} or more, "
            f"{facts['newly_paid']:,} newly paid, {facts['no_longer_paid']:,} no longer paid."
        )
        if facts["largest_changes"]:
            largest = ", ".join(f"{each['employee_id']} {each['change']}" for each in facts["largest_changes"])
            lines.append(f"Largest changes of gross: {largest}.")
    if "differ_from_last_revision" in facts:
        lines.append(f"{facts['differ_from_last_revision']:,} people come out otherwise than in the revision before.")
    for decision, people in facts.get("decided", {}).items():
        more = f" and {len(people) - LISTED} more" if len(people) > LISTED else ""
        lines.append(f"{decision}: {', '.join(people[:LISTED])}{more}.")
    for each in gate.get("without_lines", ()):
        lines.append(f"Without a pay line, {each['reason']}: {', '.join(each['employees'][:LISTED])}"
                     f"{' …' if len(each['employees']) > LISTED else ''}.")  # fmt: skip
    lines += [f"Open dispute {_dispute(each)}." for each in facts.get("open_disputes", ())]
    lines += ["Refused by {by} at {at}: {reason}".format(**each) for each in refusals]
    return [*lines, *gate.get("notes", ())]


def open_disputes(con: duckdb.DuckDBPyConnection, first: str, last: str) -> list[dict[str, str]]:
    """The disputes on the months `first` to `last` that nobody has ruled on."""
    rows = con.execute(
        "select dispute_id, employee_id, measure, month from csperf.staging.stg_disputes "
        "where status = 'open' and month between ? and ? order by month, dispute_id",
        [first, last],
    ).fetchall()
    return [dict(zip(("dispute_id", "employee_id", "measure", "month"), row, strict=True)) for row in rows]


_CHANGES = """
    create or replace temp table changes as
    with now as (
        select employee_id, sum(amount)::decimal(18, 2) as now from draft.lines
        where component_group <> 'contribution' group by employee_id
    ), before as (
        select employee_id, sum(amount)::decimal(18, 2) as before from published.pay_lines
        where pay_month = $before and revision = $revision and component_group <> 'contribution' group by employee_id
    )
    select employee_id, now, before,
        if(before <> 0 and now is not null, round((now - before) / abs(before), 6), null)::decimal(18, 6) as change
    from now full join before using (employee_id)
"""

# People who have another line than in the last revision of the same month.
_REVISED = """
    with before as (
        select employee_id, component, amount from published.pay_lines where pay_month = $1 and revision = $2
    ), now as (
        select employee_id, component, amount from draft.lines
    )
    select count(distinct employee_id) from (
        (from now except from before) union all (from before except from now)
    )
"""


def _gate(gate: Facts) -> list[str]:
    found = [f"- stops the publication: {each['sentence']}" for each in gate["blocked"]]
    found += [f"- {sentence}" for sentence in (*gate["warnings"], *gate["notes"])]
    return ["## What the checks say", "\n".join(found) or "Nothing."]


def _disputes(facts: Facts) -> list[str]:
    found = "\n".join(f"- {_dispute(each)}" for each in facts["open_disputes"])
    return ["## Open disputes", found or "None."]


def _dispute(each: Facts) -> str:
    return "{dispute_id} ({employee_id}, {measure}, {month})".format(**each)


def _money(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:,.2f}"


def _table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join("" if cell is None else str(cell).replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(header), line("---" for _ in header), *map(line, rows)])
