"""The `policy` schema of the warehouse: the plans as tables that dbt evaluates and an auditor can read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from csperf.policy.compile import Step
from csperf.policy.library import Library, base_measures, load_plans, plans_digest, version_code
from csperf.policy.models import Part, Plan, Version
from csperf.quality import insert_rows
from csperf.settings import Settings

FOREVER = date(9999, 12, 31)

_TABLES = {
    "plans": "plan varchar, label_zh varchar, label_en varchar, source varchar, is_default boolean, "
    "pay_date_rule varchar, negative_pay boolean, path varchar",
    "versions": "plan varchar, plan_version varchar, effective_from date, effective_to date, score varchar, "
    "rating varchar, director_below decimal(38,6), sample_size integer, has_tiers boolean",
    "figures": "plan varchar, plan_version varchar, effective_from date, effective_to date, figure varchar, "
    "by_attributes varchar, keys varchar, band varchar, value decimal(38,6), provenance varchar, unit varchar, "
    "label_zh varchar, label_en varchar, note varchar",
    "steps": "plan varchar, plan_version varchar, effective_from date, effective_to date, stage varchar, "
    "step varchar, period varchar, everyone boolean, level integer, position integer, formula varchar, "
    "value_sql varchar, explanation_sql varchar, inputs varchar, component_group varchar, frequency varchar, "
    "base_sql varchar, rate_sql varchar, quantity_sql varchar, rule integer, operator varchar, "
    "threshold_sql varchar, measure varchar, said varchar, within varchar, parts varchar",
    "measures": "measure varchar, label_zh varchar, label_en varchar, unit varchar, derived boolean, everyone boolean",
    "levels": "plan varchar, plan_version varchar, measure varchar, value decimal(38,6), code varchar, "
    "label_zh varchar, label_en varchar",
    "components": "component varchar, position integer, label_zh varchar, label_en varchar, component_group varchar",
    "bounds": "plan varchar, plan_version varchar, component varchar, least decimal(18,2), most decimal(18,2), "
    "least_stated boolean, most_stated boolean",
    "tier_rules": "plan varchar, plan_version varchar, rule integer, decision varchar, notice_days integer, "
    "base_raise decimal(18,6), leave_days decimal(18,6), reason_zh varchar, reason_en varchar",
    "tier_moves": "plan varchar, plan_version varchar, rule integer, grade varchar, decision varchar, "
    "grade_after varchar",
    "ladders": "plan varchar, plan_version varchar, track varchar, position integer, grade varchar, "
    "next_grade varchar, lower_grade varchar",
}

# Exact division with one rounding: the remainder is taken off as decimals, so that the quotient is a whole number
# before it ever becomes a double, and doubles hold whole numbers exactly up to 2^53. What goes in stands there several
# times, so long numerators and denominators are columns of their own by then (formula.py).
_MACROS = (
    "create or replace macro policy.half_up(n, d, factor, unit) as "
    "case when d = 0 then null else sign(n) * sign(d) * unit * cast(round("
    "cast((2 * abs(n) * factor + abs(d)) - (2 * abs(n) * factor + abs(d)) % (2 * abs(d)) as double) "
    "/ cast(2 * abs(d) as double)) as bigint) end",
    "create or replace macro policy.floor_ratio(n, d) as "
    "cast(case when sign(n) * sign(d) < 0 and abs(n) % abs(d) <> 0 then -1 else 0 end + sign(n) * sign(d) * cast("
    "round(cast(abs(n) - abs(n) % abs(d) as double) / cast(abs(d) as double)) as bigint) as decimal(38,0))",
    "create or replace macro policy.text_of(x) as "
    "coalesce(rtrim(rtrim(cast(cast(x as decimal(38,6)) as varchar), '0'), '.'), 'absent')",
)


def load_policies(con: duckdb.DuckDBPyConnection, settings: Settings) -> str:
    """Fill the `policy` schema of the warehouse from the plan files; returns the digest of all plans."""
    plans = load_plans(settings)
    con.execute("create schema if not exists policy")
    for name, columns in _TABLES.items():
        con.execute(f"create or replace table policy.{name} ({columns})")
        insert_rows(con, f"policy.{name}", columns, list(_ROWS[name](plans)))
    for macro in _MACROS:
        con.execute(macro)
    return plans_digest(plans)


Plans = Library
Row = tuple[Any, ...]


def _versions(plans: Plans) -> Iterator[tuple[Plan, Version, tuple[Step, ...], date]]:
    for loaded in plans.values():
        for number, version in enumerate(loaded.versions):
            yield loaded.plan, version, loaded.steps[number], _end(loaded.versions, number)


def _end(versions: Sequence[Part], number: int) -> date:
    """The day from which the version is no longer in force."""
    return versions[number + 1].effective_from if number + 1 < len(versions) else FOREVER


def _plan_rows(plans: Plans) -> Iterator[Row]:
    for loaded in plans.values():
        plan = loaded.plan
        told = (plan.plan, plan.labels.zh, plan.labels.en, plan.source, plan.default, plan.pay_date, plan.negative_pay)
        yield *told, loaded.path.name


def _version_rows(plans: Plans) -> Iterator[Row]:
    for plan, version, _, end in _versions(plans):
        card = version.scorecard
        code = version_code(plan, version)
        levels = version.measures[card.rating].levels if card.rating else {}
        below = next((number for number, level in levels.items() if level.code == card.director_below), None)
        size = version.figures[version.sampling.figure].value if version.sampling else None
        start = (plan.plan, code, version.effective_from, end, card.score, card.rating)
        yield *start, below, int(size) if size is not None else None, version.tiers is not None


def _figure_rows(plans: Plans) -> Iterator[Row]:
    versions: list[tuple[str, Part, date]] = [(plan.plan, version, end) for plan, version, _, end in _versions(plans)]
    for code, loaded in plans.parts.items():
        for place, version in enumerate(loaded.part.versions):
            versions.append((code, version, _end(loaded.part.versions, place)))
    for code, part, until in versions:
        start = (code, f"{code}@{part.effective_from}", part.effective_from, until)
        for name, entry in part.figures.items():
            zh, en = (entry.labels.zh, entry.labels.en) if entry.labels else (None, None)
            for keys, number in entry.cells():
                provenance = "assumption" if set(keys) & set(entry.assumed) else entry.provenance
                entry_of = (*start, name, "/".join(entry.by) or None, "/".join(keys) or None)
                end = (provenance, entry.unit or None, zh, en, entry.note or None)
                if isinstance(number, Decimal):
                    yield *entry_of, None, number, *end
                else:
                    for band in number:
                        yield *entry_of, str(band), band.value, *end


def _step_rows(plans: Plans) -> Iterator[Row]:
    names = ("component_group", "frequency", "base_sql", "rate_sql", "quantity_sql")
    found = [
        (plan.plan, version_code(plan, version), version.effective_from, end, steps)
        for plan, version, steps, end in _versions(plans)
    ]
    for code, part in plans.parts.items():
        for number, version in enumerate(part.part.versions):
            start = version.effective_from
            found.append((code, f"{code}@{start}", start, _end(part.part.versions, number), part.steps[number]))
    for code, plan_version, start, end, steps in found:
        for step in steps:
            extra = step.extra
            rule = extra.get("rule")
            yield (
                *(code, plan_version, start, end),
                *(step.stage, step.name, step.period, step.everyone, step.level, step.position, step.formula),
                *(step.value_sql, step.explanation_sql, ",".join(step.inputs)),
                *(extra.get(name) for name in names),
                *(int(rule) if rule else None, extra.get("operator"), extra.get("threshold_sql")),
                *(extra.get("measure"), extra.get("said"), extra.get("within")),
                json.dumps([[name, level, sql] for name, (level, sql) in step.parts.items()]) if step.parts else None,
            )


def _measure_rows(plans: Plans) -> Iterator[Row]:
    for code, entry in base_measures().items():
        yield code, entry["zh"], entry["en"], entry["unit"], False, False
    seen = set()
    parts: list[Part] = [version for _, version, _, _ in _versions(plans)]
    parts += [version for part in plans.parts.values() for version in part.part.versions]
    for version in parts:
        for name, measure in version.measures.items():
            if name not in seen:
                seen.add(name)
                yield name, measure.labels.zh, measure.labels.en, measure.unit, True, measure.everyone


def _level_rows(plans: Plans) -> Iterator[Row]:
    for plan, version, _, _ in _versions(plans):
        for name, measure in version.measures.items():
            for number, level in measure.levels.items():
                yield plan.plan, version_code(plan, version), name, number, level.code, level.zh, level.en


def _component_rows(plans: Plans) -> Iterator[Row]:
    """Each component's place in the extract: plans in order, components as written; the first to name one labels it."""
    seen: dict[str, Row] = {}
    for _, version, _, _ in _versions(plans):
        for name, component in version.components.items():
            labels = component.labels
            seen.setdefault(name, (name, len(seen), labels.zh, labels.en, component.group))
    yield from seen.values()


def _bound_rows(plans: Plans) -> Iterator[Row]:
    for loaded in plans.values():
        for version, components in zip(loaded.versions, loaded.bounds, strict=True):
            for name, found in components.items():
                stated = ("least" in found.stated, "most" in found.stated)
                yield loaded.plan.plan, version_code(loaded.plan, version), name, found.least, found.most, *stated


def _rule_rows(plans: Plans) -> Iterator[Row]:
    for plan, version, _, _ in _versions(plans):
        for number, rule in enumerate(version.tiers.rules if version.tiers else ()):
            named = (rule.notice, rule.base_raise, rule.leave_days)
            notice, base_raise, leave_days = (version.figures[name].value if name else None for name in named)
            start = (plan.plan, version_code(plan, version), number, rule.decision)
            granted = (int(notice) if notice is not None else None, base_raise, leave_days)
            yield *start, *granted, rule.reason.zh, rule.reason.en


def _move_rows(plans: Plans) -> Iterator[Row]:
    for plan, version, _, _ in _versions(plans):
        for number in range(len(version.tiers.rules) if version.tiers else 0):
            assert version.tiers is not None
            for grade, move in version.tiers.moves(number).items():
                yield plan.plan, version_code(plan, version), number, grade, move.decision, move.grade_after


def _ladder_rows(plans: Plans) -> Iterator[Row]:
    for plan, version, _, _ in _versions(plans):
        for track, grades in (version.tiers.all_tracks() if version.tiers else {}).items():
            start = (plan.plan, version_code(plan, version), track or None)
            for place, grade in enumerate(grades):
                above = grades[place + 1] if place + 1 < len(grades) else None
                yield *start, place, grade, above, grades[place - 1] if place else None


_ROWS = {
    "plans": _plan_rows,
    "versions": _version_rows,
    "figures": _figure_rows,
    "steps": _step_rows,
    "measures": _measure_rows,
    "levels": _level_rows,
    "components": _component_rows,
    "bounds": _bound_rows,
    "tier_rules": _rule_rows,
    "tier_moves": _move_rows,
    "ladders": _ladder_rows,
}
