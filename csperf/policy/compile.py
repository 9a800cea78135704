"""From a plan version to steps: each formula as SQL, in an order in which each step finds what it reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from sqlglot import exp

from csperf.policy.formula import Compiled, Compiler, mistakes_in, parse
from csperf.policy.models import ATTRIBUTES, NUMBERS, Band, Component, Condition, Contest, Measure, Tiers, Version
from csperf.policy.names import GROSS_PAY, TIER_GRADES, names_twice, scorecard_names
from csperf.policy.problems import Located, nearest
from csperf.policy.values import Circle, FormulaError, UnknownName, Value, constant

MEASURE_PLACES = 6
MONEY_PLACES = 2
# Decimal places each unit can have. Fewer places leave more digits for exact products.
UNIT_SCALES = {"days": 2, "count": 2, "calendar": 0}
CONTEST = "contest"
SCORE = "score"
"""The plan's own score, whatever measure it is: for ladders that rank people by it."""


@dataclass(frozen=True)
class Step:
    """One formula of a plan version as SQL over the row `cur` of an employee and period.

    `stage` is measure, component, review, condition or contest; `level` counts from 0, a step reads steps of lower
    levels only. `parts` are columns that its SQL reads besides: name to level and SQL.
    """

    stage: str
    name: str
    period: str
    everyone: bool
    level: int
    position: int
    formula: str
    value_sql: str
    explanation_sql: str
    inputs: tuple[str, ...]
    parts: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    extra: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Scope:
    """What names mean in one place of a plan: base measures, derived ones, figures, attributes."""

    version: Version
    base: Mapping[str, str]
    """Base measures of the catalogue and their units."""
    derived: Mapping[str, int]
    """Steps that may be read here and their scale."""
    tier: bool = False
    pay: bool = False
    alias: str = "cur"
    found: list[Located] = field(default_factory=list)
    """The mistakes found so far, in all places of the version."""
    wrong_terms: set[str] = field(default_factory=set)
    """Terms with a mistake, which is not reported again where they are read."""

    def term(self, name: str) -> str | None:
        if name == SCORE and name not in self.derived:
            if self.version.scorecard.score is None:
                raise FormulaError("the plan's scorecard names no score; a plan that uses 'score' must name one")
            return self.version.scorecard.score
        if self.pay and name == GROSS_PAY:
            paid = [code for code, component in self.version.components.items() if component.group == "pay"]
            return " + ".join(f"coalesce({code}, 0)" for code in paid) or "0"
        return "0" if name in self.wrong_terms else self.version.terms.get(name)

    def label(self, name: str, table: str) -> str:
        if table:
            return f"{table}.{name}"
        return f"months.{name}" if self.alias == "m" and self._scale(name) is not None else name

    def resolve(self, name: str, table: str) -> Value:
        if table not in ("", "quarter", "year"):
            raise FormulaError(f"'{table}.{name}': before the dot there may be quarter or year")
        if table:
            scale = self._scale(name)
            if scale is None:
                raise UnknownName(name, f"'{table}.{name}': there is no measure '{name}'{self._nearest(name)}")
            return Value(f"cast({self.alias}.{table}__{name} as decimal(38,{scale}))", scale)
        if name in ATTRIBUTES or (self.tier and name in TIER_GRADES):
            # In a look over months the post is each month's own; the grade is the one that is decided on.
            return Value(f"{self.alias if name == 'post' else 'cur'}.{name}", kind="text")
        if name in NUMBERS and (name != "previous_gross" or self.pay):
            return Value(f"cast(cur.{name} as decimal(38,{NUMBERS[name]}))", NUMBERS[name])
        scale = self._scale(name)
        if scale is not None:
            measure = self.version.measures.get(name)
            own = self.alias == "m" and measure is not None and not measure.everyone
            # A month on another plan has no such measure, though that plan may have one of the same name.
            sql = f"case when m.plan = cur.plan then m.{name} end" if own else f"{self.alias}.{name}"
            return Value(f"cast({sql} as decimal(38,{scale}))", scale)
        if name in self.version.figures:
            from csperf.policy.functions import table_value

            return table_value(Compiler(self), name, {})
        raise UnknownName(name, f"there is no measure, figure or term '{name}'{self._nearest(name)}")

    def cells(self, name: str) -> tuple[tuple[str, ...], list[tuple[tuple[str, ...], Decimal | tuple[Band, ...]]]]:
        figure = self.version.figures.get(name)
        if figure is None:
            raise UnknownName(name, f"there is no figure '{name}'{nearest(name, self.version.figures)}")
        return figure.by, figure.cells()

    def monthly(self) -> Scope:
        return replace(self, alias="m")

    def _scale(self, name: str) -> int | None:
        if name in self.derived:
            return self.derived[name]
        return UNIT_SCALES.get(self.base[name], MEASURE_PLACES) if name in self.base else None

    def _nearest(self, name: str) -> str:
        version = self.version
        return nearest(name, [*self.base, *self.derived, *version.figures, *version.terms, *ATTRIBUTES, *NUMBERS])


def compile_version(
    version: Version, base: Mapping[str, str], everyone: Mapping[str, int]
) -> tuple[list[Step], list[Located]]:
    """The steps of a plan version, ordered, and all mistakes in it; with a mistake the steps are of no use.

    `everyone` are the measures of all plans that each may read.
    """
    measures = version.measures
    derived = {**everyone, **dict.fromkeys(measures, MEASURE_PLACES)}
    scope = Scope(version, base, derived)
    scope.found.extend([*scorecard_names(version, derived), *names_twice(version, base)])
    money = {**derived, **dict.fromkeys(version.components, MONEY_PLACES)}
    pay = replace(scope, derived=money, pay=True)
    steps = []
    try:
        _look_at_terms(replace(pay, tier=True))
        for period in ("month", "quarter", "year"):
            chosen = {name: measure for name, measure in measures.items() if period in measure.period}
            steps += _measure_steps(scope, chosen, period)
        steps += _component_steps(pay, version.components)
        if version.base is not None:
            steps.append(_review_step(replace(scope, derived=money), "base", ("base",), version.base))
        if version.review is not None:
            share = ("review", "raise_share")
            steps.append(_review_step(replace(scope, derived=money), "raise_share", share, version.review.raise_share))
        if version.tiers is not None:
            scope.found.extend([*_one_condition_once(version.tiers), *_rule_figures(version)])
            steps += _condition_steps(replace(scope, tier=True), version.tiers)
    except Located as located:
        scope.found.append(located)
    return steps, list({(found.keys, found.reason): found for found in scope.found}.values())


def _look_at_terms(scope: Scope) -> None:
    """The mistakes of terms, each told once and not again where the term is read."""
    wrong: set[str] = set()
    for name in scope.version.terms:
        if name in wrong:
            continue
        try:
            Compiler(scope).value(exp.column(name))
        except Circle as circle:
            wrong.update(circle.names)
            scope.found.append(Located(("terms", name), str(circle)))
        except FormulaError as error:
            wrong.add(name)
            reasons = mistakes_in(scope, scope.version.terms[name], error)
            scope.found.extend(Located(("terms", name), reason) for reason in reasons)
    scope.wrong_terms.update(wrong)


def _compile(scope: Scope, keys: tuple[str, ...], formula: str) -> Compiled:
    """A formula as SQL; its mistakes go to `scope.found`, and the result then stands for nothing."""
    try:
        return Compiler(scope).compile(formula)
    except FormulaError as error:
        scope.found.extend(Located(keys, reason) for reason in mistakes_in(scope, formula, error))
        return Compiled(constant(Decimal(0)), "''", (), {})


def _levels(scope: Scope, needs: Mapping[str, Iterable[str]], kind: str) -> dict[str, int]:
    """The level of each step: 0 when it reads no other step, else one above the highest it reads."""
    levels: dict[str, int] = {}
    circular: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> int:
        if name in path:
            circle = path[path.index(name) :]
            if not circular & set(circle):
                circular.update(circle)
                scope.found.append(Located((kind, name), f"'{name}' needs itself: {' → '.join((*circle, name))}"))
            return 0
        if name not in levels:
            levels[name] = max((visit(need, (*path, name)) + 1 for need in needs[name] if need in needs), default=0)
        return levels[name]

    for name in needs:
        visit(name, ())
    return levels


def _measure_steps(scope: Scope, measures: Mapping[str, Measure], period: str) -> list[Step]:
    compiled = {name: _compile(scope, ("measures", name, "formula"), m.formula) for name, m in measures.items()}
    for name, result in compiled.items():
        if measures[name].everyone:
            own = [need for need in result.inputs if need in measures and not measures[need].everyone]
            if own:
                reason = f"'{name}' is for everyone but reads '{own[0]}', which is not"
                scope.found.append(Located(("measures", name, "formula"), reason))
    levels = _levels(scope, {name: result.inputs for name, result in compiled.items()}, "measures")
    return [
        Step(
            stage="measure",
            name=name,
            period=period,
            everyone=measures[name].everyone,
            level=levels[name],
            position=position,
            formula=measures[name].formula,
            value_sql=result.value.rounded(MEASURE_PLACES),
            explanation_sql=result.explanation,
            inputs=result.inputs,
            parts=result.parts,
        )
        for position, (name, result) in enumerate(compiled.items())
    ]


def _component_steps(scope: Scope, components: Mapping[str, Component]) -> list[Step]:
    compiled = {name: _compile(scope, ("components", name, "formula"), c.formula) for name, c in components.items()}
    levels = _levels(scope, {name: result.inputs for name, result in compiled.items()}, "components")
    steps = []
    for position, (name, result) in enumerate(compiled.items()):
        component = components[name]
        extra: dict[str, str | None] = {"component_group": component.group, "frequency": component.frequency}
        parts = dict(result.parts)
        for part in ("base", "rate", "quantity"):
            text = getattr(component, part)
            shown = _compile(scope, ("components", name, part), text) if text else None
            extra[f"{part}_sql"] = shown.value.rounded(MEASURE_PLACES) if shown else None
            parts |= shown.parts if shown else {}
        steps.append(
            Step(
                stage="component",
                name=name,
                period="month",
                everyone=False,
                level=levels[name],
                position=position,
                formula=component.formula,
                value_sql=result.value.rounded(MONEY_PLACES),
                explanation_sql=result.explanation,
                inputs=result.inputs,
                parts=parts,
                extra=extra,
            )
        )
    return steps


def _review_step(scope: Scope, name: str, keys: tuple[str, ...], formula: str) -> Step:
    """The base or the share of a salary review, for the row of a month that pay components are reckoned on."""
    result = _compile(scope, keys, formula)
    return Step(
        stage="review",
        name=name,
        period="month",
        everyone=False,
        level=0,
        position=0,
        formula=formula,
        value_sql=result.value.rounded(MEASURE_PLACES),
        explanation_sql=result.explanation,
        inputs=result.inputs,
        parts=result.parts,
    )


def _one_condition_once(tiers: Tiers) -> Iterable[Located]:
    """A condition is known by its decision and name: two rules for one grade must not both have it."""
    seen: dict[tuple[str, str, str], int] = {}
    for number, rule in enumerate(tiers.rules):
        names = [condition.name for condition in rule.conditions] + ([CONTEST] if rule.contest else [])
        for grade in tiers.moves(number):
            for name in names:
                if seen.setdefault((rule.decision, name, grade), number) != number or names.count(name) > 1:
                    reason = f"another rule that may {rule.decision} grade {grade} has a condition '{name}'; rename one"
                    yield Located(("tiers", "rules", str(number), "conditions", name), reason)


def _rule_figures(version: Version) -> Iterable[Located]:
    """The figures that rules name are plain ones."""
    assert version.tiers is not None
    for number, rule in enumerate(version.tiers.rules):
        names = {"notice": rule.notice, "base_raise": rule.base_raise, "leave_days": rule.leave_days}
        if rule.contest is not None:
            names["contest"] = rule.contest.places
        for key, name in names.items():
            if name is not None and (name not in version.figures or version.figures[name].value is None):
                plain = [code for code, entry in version.figures.items() if entry.value is not None]
                reason = f"there is no plain figure '{name}'{nearest(name, plain)}"
                yield Located(("tiers", "rules", str(number), key), reason)


def _condition_steps(scope: Scope, tiers: Tiers) -> list[Step]:
    steps: list[Step] = []
    for number, rule in enumerate(tiers.rules):
        keys = ("tiers", "rules", str(number))
        for condition in rule.conditions:
            value = _compile(scope, (*keys, "conditions", condition.name, "value"), condition.value)
            threshold = _compile(scope, (*keys, "conditions", condition.name, "threshold"), condition.threshold)
            looked_at = [name for name in value.inputs if name not in {**scope.version.figures, **ATTRIBUTES}]
            measure = looked_at[0].rpartition(".")[2] if len(looked_at) == 1 else condition.name
            steps.append(_condition_step(condition, number, len(steps), measure, value, threshold))
        if rule.contest is not None:
            steps.append(_contest_step(scope, rule.contest, number, len(steps)))
    return steps


def _contest_step(scope: Scope, contest: Contest, rule: int, position: int) -> Step:
    """What a rule's places are contested by; `within` are the attributes that make a group."""
    keys = ("tiers", "rules", str(rule), "contest")
    unknown = [name for name in contest.within if name not in ATTRIBUTES]
    if unknown:
        reason = f"'{unknown[0]}' is no attribute; the attributes are {', '.join(ATTRIBUTES)}"
        raise Located((*keys, "within"), reason)
    by = _compile(scope, (*keys, "by"), contest.by)
    said = f"{contest.labels.en}:"
    return Step(
        stage=CONTEST,
        name=CONTEST,
        period="quarter",
        everyone=False,
        level=0,
        position=position,
        formula=contest.by,
        value_sql=by.value.rounded(MEASURE_PLACES),
        explanation_sql=by.explanation,
        inputs=by.inputs,
        parts=by.parts,
        extra={"rule": str(rule), "within": ",".join(contest.within), "measure": CONTEST, "said": said}
        | {"threshold_sql": _compile(scope, (*keys, "places"), contest.places).value.rounded(MEASURE_PLACES)},
    )


def _condition_step(
    condition: Condition, rule: int, position: int, measure: str, value: Compiled, threshold: Compiled
) -> Step:
    return Step(
        stage="condition",
        name=condition.name,
        period="quarter",
        everyone=False,
        level=0,
        position=position,
        formula=condition.value,
        value_sql=value.value.rounded(MEASURE_PLACES),
        explanation_sql=value.explanation,
        inputs=(*value.inputs, *threshold.inputs),
        parts={**value.parts, **threshold.parts},
        extra={
            "rule": str(rule),
            "operator": condition.operator,
            "threshold_sql": threshold.value.rounded(MEASURE_PLACES),
            "measure": measure,
            # A reason says a measure by its code, which can be looked up, and what a formula gives by its label.
            "said": measure if isinstance(parse(condition.value), exp.Column) else f"{condition.labels.en}:",
        },
    )
