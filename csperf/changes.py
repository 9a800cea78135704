"""What has changed between the records that a revision rests on and those of now, cause by cause, in words.

The causes, in the order in which a difference is split: the code; late data (anything landed but disputes); disputes
ruled on; the policies; decisions, which are grades decided (or decided anew) and, where pay is reckoned on the gross
pay of the month before, that month published anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from csperf.basis import Basis, Before, Input, Inputs
from csperf.datasets import DATASETS, SQL_TYPES
from csperf.kept_policies import kept_plans
from csperf.landing import ACCEPTED, partition_dir
from csperf.periods import Month
from csperf.policy.library import Library, LoadedPlan, plans_digest, reads_gross_before, version_code
from csperf.policy.models import Version
from csperf.settings import Settings

CAUSES = ("code", "late_data", "dispute", "policy", "decision")
_SHOWN = 10
_WHOLE = ("base", "review", "scorecard", "sampling", "tiers")
"""Parts of a plan version that are told of as a whole."""
_DISPUTES = "disputes"


@dataclass
class Change:
    """What one cause consists of: what concerns single employees, and what to say of the others."""

    of_all: list[str] = field(default_factory=list)
    of_employee: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    of_plan: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def told(self, employee: str, plan: str | None) -> str:
        """What of it bears on somebody; the whole of it where nothing is his own (his rank, say, follows others)."""
        own = [*self.of_employee.get(employee, ()), *self.of_plan.get(plan or "", ())]
        told = own or [f"of others: {each}" for each in self.of_all]
        more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        return "; ".join(told[:_SHOWN]) + more


def changes(settings: Settings, before: Basis, now: Basis, month: Month) -> dict[str, Change]:
    """The causes that can have changed a month's figures, in their order, each with what has changed."""
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        found = {
            "code": _code(before, now),
            "late_data": _landed(con, settings, before.inputs, now.inputs, month),
            "dispute": _disputes(con, settings, before.inputs, now.inputs, month),
            "policy": _policy(settings, before, now, month),
            "decision": _decisions(con, settings, before, now, month),
        }
    return {cause: found[cause] for cause in CAUSES if found[cause].of_all}


def stepped(before: Basis, now: Basis, taken: set[str]) -> Basis:
    """The basis of before with the causes taken as they are now (code is always today's)."""
    late = now.inputs if "late_data" in taken else before.inputs
    ruled = now.inputs if "dispute" in taken else before.inputs
    inputs = {name: days for name, days in late.items() if name != _DISPUTES}
    if _DISPUTES in ruled:
        inputs[_DISPUTES] = ruled[_DISPUTES]
    decided = now if "decision" in taken else before
    return replace(
        before,
        inputs=inputs,
        policies=(now if "policy" in taken else before).policies,
        payroll=decided.payroll,
        tiers=decided.tiers,
    )


def _code(before: Basis, now: Basis) -> Change:
    same = before.code == now.code
    return Change([] if same else [f"code {before.code[:8]} → {now.code[:8]}"])


# ---- landed data ----------------------------------------------------------------------------------------------


def _landed(con: duckdb.DuckDBPyConnection, settings: Settings, before: Inputs, now: Inputs, month: Month) -> Change:
    """Landed dates whose rows differ, by whose rows they are."""
    change = Change()
    for name in DATASETS:
        if name == _DISPUTES:
            continue
        for day, old, new in _pairs(name, before.get(name, {}), now.get(name, {})):
            sides = [_relation(settings, name, side) for side in (old, new)]
            owner = _owner(settings, name, day, old, new)
            where = f" where month <= '{month}'" if "month" in DATASETS[name].column_names else ""
            columns = ", ".join(f'"{column}"' for column in DATASETS[name].column_names)
            gone, come = (
                f"select {columns} from {one}{where} except all select {columns} from {other}{where}"
                for one, other in (sides, sides[::-1])
            )
            rows = con.execute(
                f"select {owner} as who, count(*) filter (come), count(*) filter (not come) from "
                f"(select true as come, * from ({come}) union all select false, * from ({gone})) as rows_of "
                "group by who order by who"
            ).fetchall()
            if not rows:
                continue
            versions = f"version {old[1].version[:8] if old else 'none'} → {new[1].version[:8] if new else 'none'}"
            dated = f"{name} {new[0] if new else old[0] if old else day}"
            change.of_all.append(f"{dated} ({versions})")
            for who, added, removed in rows:
                if who is not None:
                    change.of_employee[who].append(f"{dated} (+{added} −{removed} rows, {versions})")
    return change


_Side = tuple[str, Input] | None


def _pairs(dataset: str, before: Mapping[str, Input], now: Mapping[str, Input]) -> Iterator[tuple[str, _Side, _Side]]:
    """The dates whose version differs, with both sides; of a table delivered whole the newest deliveries."""
    if DATASETS[dataset].kind == "full" and dataset != "employees":
        old, new = ((max(side), side[max(side)]) if side else None for side in (before, now))
        if (old and old[1]) != (new and new[1]):
            yield (new or old or ("", None))[0], old, new
        return
    for day in sorted({*before, *now}):
        old, new = ((day, side[day]) if day in side else None for side in (before, now))
        if old is None or new is None or old[1].version != new[1].version:
            yield day, old, new


def _path(settings: Settings, dataset: str, side: tuple[str, Input]) -> Path:
    day, landed = side
    return partition_dir(settings, dataset, date.fromisoformat(day)) / landed.version / ACCEPTED


def _relation(settings: Settings, dataset: str, side: _Side) -> str:
    """The rows of one side; none where nothing is landed."""
    if side is None:
        columns = DATASETS[dataset].columns
        nothing = ", ".join(f'cast(null as {SQL_TYPES[column.type]}) as "{column.name}"' for column in columns)
        return f"(select {nothing} where false)"
    return f"read_parquet('{str(_path(settings, dataset, side)).replace(chr(39), chr(39) * 2)}')"


def _owner(settings: Settings, dataset: str, day: str, old: _Side, new: _Side) -> str:
    """SQL for whose a row is: the employee it names, or the agent of a message's session."""
    names = DATASETS[dataset].column_names
    for column in ("employee_id", "agent_id"):
        if column in names:
            return column
    folder = partition_dir(settings, "chat_sessions", date.fromisoformat(day))
    sessions = sorted(folder.glob(f"*/{ACCEPTED}"))
    if not sessions:
        return "null"
    files = ", ".join("'" + str(path).replace("'", "''") + "'" for path in sessions)
    return f"(select any_value(agent_id) from read_parquet([{files}]) as s where s.session_id = rows_of.session_id)"


# ---- disputes -------------------------------------------------------------------------------------------------


def _disputes(con: duckdb.DuckDBPyConnection, settings: Settings, before: Inputs, now: Inputs, month: Month) -> Change:
    """Disputes upheld for the month or earlier ones, or no longer upheld, or with another delta."""
    change = Change()
    for _, old, new in _pairs(_DISPUTES, before.get(_DISPUTES, {}), now.get(_DISPUTES, {})):
        was, is_now = (_upheld(con, settings, side, month) for side in (old, new))
        for key in sorted({*was, *is_now}):
            if was.get(key) == is_now.get(key):
                continue
            row = is_now.get(key) or was[key]
            granted = f"{row['measure']} {row['granted_delta'].normalize():+f} for {row['month']}"
            if key in is_now:
                told = f"dispute {key} upheld: {granted}, ruled by {row['ruled_by']} on {row['ruled_at']}"
            else:
                told = f"dispute {key} no longer upheld: {granted}"
            change.of_all.append(told)
            change.of_employee[row["employee_id"]].append(told)
    return change


def _upheld(con: duckdb.DuckDBPyConnection, settings: Settings, side: _Side, month: Month) -> dict[str, dict[str, Any]]:
    if side is None:
        return {}
    cursor = con.execute(
        "select dispute_id, employee_id, month, measure, granted_delta, "
        "coalesce(ruled_by, 'nobody named') as ruled_by, "
        "coalesce(strftime(timezone(?, ruled_at), '%Y-%m-%d %H:%M'), 'no day named') as ruled_at "
        f"from {_relation(settings, _DISPUTES, side)} "
        "where status = 'upheld' and granted_delta is not null and month <= ?",
        [settings.timezone, str(month)],
    )
    names = [column[0] for column in cursor.description or ()]
    return {row[0]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}


# ---- policies -------------------------------------------------------------------------------------------------


def _policy(settings: Settings, before: Basis, now: Basis, month: Month) -> Change:
    """Plan versions in force by the month's end that differ, and which of their figures, formulas and terms."""
    change = Change()
    if before.policies == now.policies:
        return change
    was, is_now = kept_plans(settings, before.policies), kept_plans(settings, now.policies)
    if plans_digest(was) == plans_digest(is_now):
        return change
    for code, told in plan_changes(was, is_now, month.last_day).items():
        change.of_plan[code].append(told)
        change.of_all.append(told)
    if not change.of_all:
        change.of_all.append(f"policies {before.policies[:8]} → {now.policies[:8]}")
    return change


def plan_changes(was: Library, now: Library, day: date) -> dict[str, str]:
    """By plan, how its version in force on a day differs; plans whose version is the same are left out."""
    told = {code: _plan_change(was.plans.get(code), now.plans.get(code), day) for code in sorted({*was, *now})}
    return {code: words for code, words in told.items() if words}


def _plan_change(was: LoadedPlan | None, now: LoadedPlan | None, day: date) -> str | None:
    old, new = (plan.version_on(day) if plan else None for plan in (was, now))
    if old == new:
        return None
    old_code = version_code(was.plan, old) if was and old else None
    new_code = version_code(now.plan, new) if now and new else None
    parts = ", ".join(_parts(old, new)) if old and new else ""
    if old_code == new_code:
        return f"plan version {new_code} changed ({parts})" if parts else f"plan version {new_code} changed"
    told = f"plan version {new_code or 'none'} in the place of {old_code or 'none'}"
    return f"{told} ({parts})" if parts else told


def _parts(old: Version, new: Version) -> Iterator[str]:
    for kind in ("figures", "terms", "measures", "components"):
        was, now = getattr(old, kind), getattr(new, kind)
        for name in sorted({*was, *now}):
            one, other = was.get(name), now.get(name)
            if one == other:
                continue
            values = [getattr(each, "value", None) for each in (one, other)]
            if kind == "figures" and None not in values and values[0] != values[1]:
                yield f"{name} {values[0]} → {values[1]}"
            else:
                yield f"{name} {'is new' if one is None else 'is gone' if other is None else 'differs'}"
    yield from (f"{name} changed" for name in _WHOLE if getattr(old, name) != getattr(new, name))


# ---- decisions ------------------------------------------------------------------------------------------------


def _decisions(con: duckdb.DuckDBPyConnection, settings: Settings, before: Basis, now: Basis, month: Month) -> Change:
    """Grades decided otherwise with effect by the month's end; the month before published anew, where pay reads it."""
    change = Change()
    was, is_now = (_grades(con, settings, each.tiers, month) for each in (before, now))
    for key in sorted({*was, *is_now}):
        if was.get(key) != is_now.get(key):
            quarter, employee = key
            grades = [each.get(key, "as on the roster") for each in (was, is_now)]
            told = f"{quarter} decided {employee}: {grades[0]} → {grades[1]} (revision {now.tiers[quarter].revision})"
            change.of_all.append(told)
            change.of_employee[employee].append(told)
    earlier = str(month.plus(-1))
    if before.payroll.get(earlier) != now.payroll.get(earlier) and any(
        reads_gross_before(kept_plans(settings, each.policies)) for each in (before, now)
    ):
        change.of_all.append(
            f"{earlier} published as revision {now.payroll[earlier].revision} (gross pay of the month before)"
        )
    return change


def _grades(
    con: duckdb.DuckDBPyConnection, settings: Settings, tiers: Mapping[str, Before], month: Month
) -> dict[tuple[str, str], str]:
    """The grade that each quarter's revision gave whom it promoted or demoted, with effect by the month's end."""
    found = {}
    for quarter, newest in tiers.items():
        path = settings.tiers_dir / quarter / f"rev-{newest.revision:03d}" / "decisions.parquet"
        for employee, grade in con.execute(
            "select employee_id, grade_after from read_parquet(?, hive_partitioning = false) "
            "where decision in ('promote', 'demote') and effective_from <= ?",
            [str(path), month.last_day],
        ).fetchall():
            found[quarter, employee] = grade
    return found
