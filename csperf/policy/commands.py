"""What `csperf policy` prints: the plans, one plan as a person reads it, and what is wrong with plan files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from csperf.errors import CsperfError, UsageError
from csperf.policy.library import examine, load_plans
from csperf.policy.models import Figure, Labels, Version
from csperf.policy.problems import Problem
from csperf.settings import Settings


def list_plans(settings: Settings) -> Table:
    """All plans with their labels, versions and files."""
    table = Table("plan", "title", "versions from", "components", "file")
    for code, loaded in load_plans(settings).items():
        plan = loaded.plan
        components = {name for version in loaded.versions for name in version.components}
        table.add_row(
            f"{code} (default)" if plan.default else code,
            f"{plan.labels.zh}\n{plan.labels.en}",
            "\n".join(version.effective_from.isoformat() for version in plan.versions),
            str(len(components)),
            loaded.path.name,
        )
    return table


def show_plan(settings: Settings, code: str, day: date) -> Group:
    """A plan as in force on a day: labels in both languages, figures with their provenance, formulas, tier rules."""
    plans = load_plans(settings)
    if code not in plans:
        raise UsageError(f"There is no plan '{code}'; the plans are {', '.join(plans)}.")
    plan = plans[code].plan
    version = plans[code].version_on(day)
    if version is None:
        raise CsperfError(f"Plan {code} is not in force on {day}: it starts on {plan.versions[0].effective_from}.")
    heading = Text(f"{code} · {plan.labels.zh} · {plan.labels.en}", style="bold")
    parts: list[RenderableType] = [
        heading,
        f"in force on {day} since {version.effective_from} · source: {plan.source} · paid {plan.pay_date}",
        _figures(version.figures),
        _formulas("Derived measures", ((n, m.labels, m.formula) for n, m in version.measures.items())),
        _formulas("Components", ((n, c.labels, c.formula) for n, c in version.components.items())),
    ]
    if version.tiers is not None:
        parts.append(_tiers(version))
    return Group(*parts)


def _figures(figures: dict[str, Figure]) -> Table:
    table = Table("figure", "for", "value", "provenance", title="Figures")
    for name, figure in figures.items():
        title = "\n".join(part for part in (name, figure.unit, figure.note) if part)
        grouped: dict[tuple[str, bool], list[str]] = {}
        for keys, number in figure.cells():
            assumed = figure.provenance == "assumption" or bool(set(keys) & set(figure.assumed))
            value = str(number) if isinstance(number, Decimal) else "\n".join(f"{b} → {b.value}" for b in number)
            grouped.setdefault((value, assumed), []).append(" / ".join(keys))
        for place, ((value, assumed), keys_list) in enumerate(grouped.items()):
            provenance = Text("assumption", style="yellow") if assumed else Text("seed", style="green")
            table.add_row(title if place == 0 else "", "\n".join(keys_list), value, provenance)
    return table


def _formulas(title: str, entries: Iterable[tuple[str, Labels, str]]) -> Table:
    table = Table("name", "label", "formula", title=title)
    for name, labels, formula in entries:
        table.add_row(name, f"{labels.zh} · {labels.en}", Text(formula.strip()))
    return table


def _tiers(version: Version) -> Table:
    assert version.tiers is not None
    tracks = "; ".join(" → ".join(grades) for grades in version.tiers.all_tracks().values())
    table = Table("rule", "condition", "is", title=f"Tier rules, tried in order ({tracks})")
    for number, rule in enumerate(version.tiers.rules, start=1):
        first = f"{number}. {rule.decision}: {rule.reason.zh} · {rule.reason.en}"
        if not rule.conditions:
            table.add_row(first, "otherwise", "")
        for place, condition in enumerate(rule.conditions):
            table.add_row(
                first if place == 0 else "",
                f"{condition.labels.zh} · {condition.labels.en}",
                Text(f"{condition.value} {condition.operator} {condition.threshold}"),
            )
    return table


def check_plans(settings: Settings, directory: Path | None = None) -> list[Problem]:
    """What is wrong with the plan files (those of `directory` beside the shipped ones), errors and warnings."""
    if directory is not None:
        if not directory.is_dir():
            raise UsageError(f"There is no folder {directory}.")
        settings = settings.model_copy(update={"policy_dir": directory.resolve()})
    return [*examine(settings)[1], *_unread_files(settings.policy_dir)]


def _unread_files(folder: Path | None) -> Iterator[Problem]:
    """Files of the company's folder that look like plans and are none."""
    if folder is None:
        return
    places = (folder, folder / "shared")
    for path in (path for place in places for path in sorted(place.glob("*.yml"))):
        yield Problem(path, None, (), f"the file is not read; name it {path.stem}.yaml", warning=True)
    if not any(path for place in places for path in place.glob("*.y*ml")):
        yield Problem(None, None, (), f"there is no plan (*.yaml) in {folder}", warning=True)
