"""Corrections of closed months, paid later: what newer revisions owe beside what has been paid so far.

A closed month is paid by its first revision. Each later revision holds the month as it should have been; what it
differs by is paid in the next month that closes, together with what is still due from any other closed month. What
was paid for a month is its first revision and every correction paid for it since, so that a second correction
never forgets the first.
"""

from __future__ import annotations

import duckdb

from csperf.periods import Month
from csperf.published import RETRO_PREFIX

# Contributions keep their group, so that a corrected contribution stays outside gross pay.
_DUE = """
    create or replace temp table retro_due as
    with closed as (
        select pay_month, max(revision) as newest
        from published.payroll_runs where status = 'published' group by pay_month
    ), own as (
        select * from published.pay_lines where not starts_with(component, $prefix)
    ), due as (
        select own.pay_month as for_month, own.employee_id, own.component, own.component_group, own.amount,
            own.policy_version
        from own join closed on own.pay_month = closed.pay_month and own.revision = closed.newest
        where own.pay_month < $month
    ), first_paid as (
        select pay_month as for_month, employee_id, component, component_group, amount, policy_version
        from own where revision = 1 and pay_month < $month
    ), corrected as (
        select details.for_month, details.employee_id, substr(details.component, length($prefix) + 1) as component,
            sum(details.amount) as amount
        from published.retro_details as details
        join closed on details.pay_month = closed.pay_month and details.revision = closed.newest
        group by all
    ), everything as (
        select for_month, employee_id, component from due
        union select for_month, employee_id, component from first_paid
        union select for_month, employee_id, component from corrected where for_month < $month
    )
    select
        everything.for_month, closed.newest as for_revision, everything.employee_id, everything.component,
        coalesce(due.component_group, first_paid.component_group, 'pay') as component_group,
        coalesce(due.policy_version, first_paid.policy_version) as policy_version,
        coalesce(due.amount, 0)::decimal(18,2) as due,
        (coalesce(first_paid.amount, 0) + coalesce(corrected.amount, 0))::decimal(18,2) as paid
    from everything
    join closed on everything.for_month = closed.pay_month
    left join due using (for_month, employee_id, component)
    left join first_paid using (for_month, employee_id, component)
    left join corrected using (for_month, employee_id, component)
"""

_DETAILS = """
    insert into draft.retro by name
    select $month as pay_month, $revision as revision, employee_id, $prefix || component as component, for_month,
        for_revision, due, paid, due - paid as amount
    from retro_due where due <> paid
"""

_LINES = """
    insert into draft.lines by name
    select
        $month as pay_month, $revision as revision, employee_id, $prefix || component as component,
        case when max(component_group) = 'contribution' then 'contribution' else 'retro' end as component_group,
        sum(due - paid)::decimal(18,2) as amount,
        max_by(policy_version, for_month) as policy_version,
        string_agg(
            for_month || ': ' || due || ' due by revision ' || for_revision || ', ' || paid || ' paid so far', '; '
            order by for_month
        ) as explanation
    from retro_due where due <> paid
    group by employee_id, component
"""


def add_retro(con: duckdb.DuckDBPyConnection, month: Month, revision: int) -> None:
    """Add the retro lines of a month to `draft.lines` and what they consist of to `draft.retro`.

    Reads schema `published`. A first revision takes over all that closed months before it are still owed (or owe);
    a later one repeats what its month has paid already, unchanged.
    """
    values = {"month": str(month), "revision": revision, "prefix": RETRO_PREFIX}
    if revision == 1:
        con.execute(_DUE, {"month": str(month), "prefix": RETRO_PREFIX})
        con.execute(_DETAILS, values)
        con.execute(_LINES, values)
        return
    for table, target in (("pay_lines", "lines"), ("retro_details", "retro")):
        con.execute(
            f"insert into draft.{target} by name select * replace ($revision as revision) from published.{table} "
            "where pay_month = $month and revision = $revision - 1 and starts_with(component, $prefix)",
            values,
        )
