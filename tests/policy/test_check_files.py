"""A check of plans: ladders, versions, shared parts, several files, and what the command makes of it."""

from __future__ import annotations

from datetime import date

import pytest
from typer.testing import CliRunner

from csperf.cli import app
from csperf.errors import CsperfError, UsageError
from csperf.policy.commands import check_plans
from csperf.policy.library import load_plans
from csperf.settings import load_settings
from tests.policy.plan_texts import NO_TEXTS, PLAN, added, told, write

TIERS = """\
    tiers:
      ladder: [junior, senior, principal]
      rules:
        - decision: hold
          reason: {zh: 甲, en: a}
        - decision: demote
          reason: {zh: 乙, en: b}
"""


def test_a_table_that_lacks_a_grade_of_the_ladder_is_a_warning(tmp_path):
    text = PLAN.replace("{value: 100.10,", "{by: grade, values: {junior: 1, senior: 2},") + TIERS
    write(tmp_path, text)
    assert told(tmp_path) == [
        "night_watch.yaml:7 at versions.0.figures.wage: warning: the table has nothing for principal, which the ladder "
        "of night_watch has: it is absent there.",
        "night_watch.yaml:17 at versions.0.tiers.rules.1: warning: the rule is never tried: the rules above it always "
        "decide.",
    ]


def test_versions_stand_from_old_to_new(tmp_path):
    version = PLAN[PLAN.index("  - effective_from") :]
    write(tmp_path, PLAN + version + version.replace("2026", "2025"))
    assert told(tmp_path) == [
        "night_watch.yaml:12 at versions.1.effective_from: the version above is from 2026-01-01 too; a date has one "
        "version.",
        "night_watch.yaml:19 at versions.2.effective_from: 2025-01-01 comes before the version above it (2026-01-01); "
        "write versions from old to new.",
    ]


PART = """\
shared: night_extra
labels: {zh: 夜班补贴, en: Night extra}
source: written for this test
versions:
  - effective_from: 2027-01-01
    figures:
      night_rate: {value: 30, provenance: assumption}
    components:
      night_pay:
        labels: {zh: 夜班补贴, en: night pay}
        formula: night_rate * night_shifts
"""


def using(*parts: str) -> str:
    return PLAN.replace("    figures:", f"    uses: [{', '.join(parts)}]\n    figures:", 1)


def test_a_part_that_begins_later_than_the_version_that_uses_it_leaves_a_gap(tmp_path):
    write(tmp_path, PART, "shared/night_extra.yaml")
    write(tmp_path, using("night_extra"))
    assert told(tmp_path) == [
        "night_watch.yaml:6 at versions.0.uses: 'night_extra' begins on 2027-01-01, later than this version "
        "(2026-01-01), which would be without it till then."
    ]


def test_a_problem_of_a_shared_part_is_told_once_and_in_its_file(tmp_path):
    write(tmp_path, PART.replace("2027", "2026").replace("night_shifts", "night_shift"), "shared/night_extra.yaml")
    write(tmp_path, using("night_extra"))
    write(tmp_path, using("night_extra").replace("night_watch", "day_watch"), "day_watch.yaml")
    assert told(tmp_path) == [
        "shared/night_extra.yaml:11 at versions.0.components.night_pay.formula: there is no measure, figure or term "
        "'night_shift'; did you mean 'night_shifts'?"
    ]


def test_a_problem_of_a_second_version_is_told_at_its_line_also_when_a_part_cuts_the_first(tmp_path):
    later = PART[PART.index("  - effective_from") :]
    write(tmp_path, PART.replace("2027", "2026") + later.replace("2027-01-01", "2026-05-01"), "shared/night_extra.yaml")
    version = (
        PLAN[PLAN.index("  - effective_from") :].replace("2026", "2028").replace("prorated(wage)", "prorated(wge)")
    )
    write(tmp_path, using("night_extra") + version)
    (line,) = told(tmp_path)
    assert line.startswith("night_watch.yaml:19 at versions.1.components.base_pay.formula: ")


def test_an_unknown_part_hides_nothing_else(tmp_path):
    write(tmp_path, using("five_insurence").replace("prorated(wage)", "prorated(wage) + pension_flor"))
    assert told(tmp_path) == [
        "night_watch.yaml:6 at versions.0.uses: there is no shared part or plan 'five_insurence'; did you mean "
        "'five_insurances'?",
        "night_watch.yaml:12 at versions.0.components.base_pay.formula: there is no measure, figure or term "
        "'pension_flor'; did you mean 'pension_floor'?",
    ]


def test_plans_that_use_each_other_are_refused(tmp_path):
    write(tmp_path, using("day_watch"))
    write(tmp_path, using("night_watch").replace("plan: night_watch", "plan: day_watch"), "day_watch.yaml")
    assert any("'day_watch' uses itself: day_watch → night_watch → day_watch" in line for line in told(tmp_path))


def test_a_measure_for_everyone_is_in_force_where_it_is_read(tmp_path):
    everyone = f"    measures:\n      ease: {{labels: {NO_TEXTS}, everyone: true, formula: csat_rate}}\n"
    write(tmp_path, PART[: PART.index("    figures:")] + everyone, "shared/night_extra.yaml")
    write(tmp_path, added("bonus: ease * wage"))
    assert told(tmp_path) == [
        "night_watch.yaml:12 at versions.0.components.bonus.formula: 'ease' is reckoned from 2027-01-01 on, and this "
        "version is in force from 2026-01-01."
    ]


def test_two_plans_and_two_parts_of_one_code_are_told(tmp_path):
    for name in ("a.yaml", "b.yaml"):
        write(tmp_path, PLAN, name)
        write(tmp_path, PART, f"shared/{name}")
    assert [line.partition(": ")[0] for line in told(tmp_path)] == ["b.yaml:1 at plan", "shared/b.yaml:1 at shared"]


def test_a_default_plan_of_the_company_takes_the_place_of_the_shipped_one(tmp_path):
    write(tmp_path, PLAN.replace("source:", "default: true\nsource:"))
    plans = load_plans(load_settings(policy_dir=tmp_path))
    assert [code for code, loaded in plans.items() if loaded.plan.default] == ["night_watch"]
    write(tmp_path, PLAN.replace("source:", "default: true\nsource:").replace("night_watch", "day_watch"), "day.yaml")
    assert told(tmp_path) == ["exactly one plan must be the default, not 2 (day_watch, night_watch)."]


def test_a_folder_that_is_not_there_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="There is no folder"):
        check_plans(load_settings(), tmp_path / "nowhere")


def test_a_plan_with_warnings_only_is_used(tmp_path):
    write(tmp_path, PLAN.replace("    components:", "    terms: {idle: wage}\n    components:"))
    assert load_plans(load_settings(policy_dir=tmp_path))["night_watch"].version_on(date(2026, 1, 1)) is not None


def test_the_command_tells_warnings_and_succeeds_and_fails_on_errors(tmp_path):
    write(tmp_path, PLAN.replace("    components:", "    terms: {idle: wage}\n    components:"))
    warned = CliRunner().invoke(app, ["policy", "check", str(tmp_path)], catch_exceptions=False)
    assert warned.exit_code == 0
    assert warned.output.splitlines() == [
        "night_watch.yaml:8 at versions.0.terms.idle: warning: nothing reads the term 'idle'.",
        "All plans are valid, with 1 warning.",
    ]
    write(tmp_path, PLAN.replace("prorated(wage)", "wge + volme"))
    with pytest.raises(CsperfError) as refused:
        CliRunner().invoke(app, ["policy", "check", str(tmp_path)], catch_exceptions=False)
    assert refused.value.exit_code == 1
    assert str(refused.value).splitlines()[-1] == "2 errors."
