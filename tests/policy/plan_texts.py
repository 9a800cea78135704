"""Plans for tests of the plan language: a small whole one, and ways to change it (made up, nobody's pay)."""

from __future__ import annotations

from pathlib import Path

from csperf.policy.commands import check_plans
from csperf.policy.problems import Problem
from csperf.settings import load_settings

PLAN = """\
plan: night_watch
labels: {zh: 夜班, en: Night watch}
source: written for this test
versions:
  - effective_from: 2026-01-01
    figures:
      wage: {value: 100.10, provenance: assumption}
    components:
      base_pay:
        labels: {zh: 基本工资, en: base pay}
        formula: prorated(wage)
"""


def write(folder: Path, text: str, name: str = "night_watch.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(folder: Path) -> list[Problem]:
    """What a check of a folder with plans finds."""
    return check_plans(load_settings(), folder)


def with_scale(bands: str, subject: str) -> str:
    """The plan with a scale in its sixth line and a component that asks it for a value."""
    component = f'      bonus: {{labels: {{zh: 奖金, en: bonus}}, formula: "band(scale, {subject})"}}\n'
    return (
        PLAN.replace("    figures:\n", f"    figures:\n      scale: {{bands: {bands}, provenance: seed}}\n") + component
    )


NO_TEXTS = "{zh: 甲, en: a}"


def told(folder: Path) -> list[str]:
    """What a check of a folder says, line by line."""
    return [str(problem) for problem in problems_of(folder)]


def added(text: str) -> str:
    """The plan with more components (`name: formula`)."""
    lines = (line.partition(": ") for line in text.strip().splitlines())
    return PLAN + "".join(
        f'      {name.strip()}: {{labels: {NO_TEXTS}, formula: "{formula}"}}\n' for name, _, formula in lines
    )
