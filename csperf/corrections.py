"""Why a revision differs from the one before it: each difference split by cause, to the cent.

Starting from what was published, one cause after the other is taken as it is now (see `changes`) and the month is
computed again; what a step changes is that cause's. The last step is the draft itself, so the parts add up. A cause
that has not changed takes no computation, and with a single one changed all of the difference is its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import duckdb

from csperf.basis import Basis, basis_of
from csperf.changes import Change, changes, stepped
from csperf.periods import Month
from csperf.progress import Progress
from csperf.published import RETRO_PREFIX, Revision, quoted
from csperf.replay import replay
from csperf.settings import Settings

Amounts = Mapping[tuple[str, str], Decimal]
"""Pay lines of one month: amount by employee and component."""


def add_corrections(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    month: Month,
    last: Revision,
    now: Basis,
    progress: Progress | None = None,
) -> None:
    """Add to `draft.corrections` why the prepared lines of a month differ from its last revision's, retro lines aside.

    `now` is what the prepared lines rest on. Where more than one cause has changed, the month is computed in a copy of
    the warehouse. CSPERF_HOME must be locked by the caller.
    """
    published = _own(con, f"read_parquet({quoted(last.file('lines'))}, hive_partitioning = false)")
    drafted = _own(con, "draft.lines")
    if published == drafted:
        return
    before = basis_of(last)
    found = changes(settings, before, now, month)
    if not found:
        found = {"code": Change(["nothing on record has changed"])}
    causes = list(found)
    steps = [published, *_between(settings, month, before, now, causes, progress), drafted]
    plans = dict(con.execute("select employee_id, plan from draft.people").fetchall())
    rows = []
    for cause, old, new in zip(causes, steps[:-1], steps[1:], strict=True):
        for who, component in sorted({*old, *new}):
            amount = new.get((who, component), Decimal(0)) - old.get((who, component), Decimal(0))
            if amount:
                told = found[cause].told(who, plans.get(who))
                rows.append(
                    [str(month), last.number + 1, who, component, str(month), last.number + 1, cause, amount, told]
                )
    con.executemany("insert into draft.corrections values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _between(
    settings: Settings, month: Month, before: Basis, now: Basis, causes: list[str], progress: Progress | None
) -> list[Amounts]:
    """The month's lines after each cause but the last, computed with those taken so far."""
    if len(causes) == 1:
        return []
    computed = []
    with replay(settings, from_nothing=False) as scratch:
        for number in range(1, len(causes)):
            built = scratch.build(stepped(before, now, set(causes[:number])), month, progress)
            with duckdb.connect(str(built.warehouse_path), read_only=True) as con:
                relation = f"(select * from payroll.computed_lines where pay_month = '{month}')"
                computed.append(_own(con, relation))
    return computed


def _own(con: duckdb.DuckDBPyConnection, relation: str) -> Amounts:
    rows = con.execute(
        f"select employee_id, component, amount from {relation} where not starts_with(component, ?)", [RETRO_PREFIX]
    ).fetchall()
    return {(who, component): amount for who, component, amount in rows}
