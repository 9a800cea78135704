"""Plan files say what they mean or are refused with file, line, key and reason."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from csperf.policy.commands import check_plans
from csperf.policy.library import PolicyError, load_plans, read_file
from csperf.policy.models import Band, Figure, Plan, order_bands
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
    path.write_text(text, encoding="utf-8")
    return path


def test_figures_are_exact_from_text(tmp_path):
    plan = read_file(write(tmp_path, PLAN), Plan)
    assert plan.versions[0].figures["wage"].value == Decimal("100.10")


def test_a_plan_of_the_company_is_loaded_beside_the_shipped_ones(tmp_path):
    write(tmp_path, PLAN)
    plans = load_plans(load_settings(policy_dir=tmp_path))
    assert {"cs_2017", "night_watch"} <= set(plans)
    assert plans["night_watch"].version_on(date(2025, 12, 31)) is None


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("value: 100.10", "vlaue: 100.10", 7, "Extra inputs"),
        ("prorated(wage)", "prorated(wge)", 11, "did you mean 'wage'"),
        ("prorated(wage)", "prorated(wage) * volumes", 11, "did you mean 'volume'"),
        ("value: 100.10", "{by: grade, values: {juniour: 1}}", 7, ""),
        ("plan: night_watch", "plan: Night Watch", 1, "match pattern"),
        ("effective_from: 2026-01-01", "effective_from: yesterday", 5, "date"),
        ("base_pay:", "volume:", 9, "already a measure of the catalogue"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, old, new, line, words):
    path = write(tmp_path, PLAN.replace(old, new))
    problems = check_plans(load_settings(), tmp_path)
    assert len(problems) == 1
    assert f"{path.name}:{line}" in problems[0]
    assert words in problems[0]


def test_a_term_that_needs_itself_is_refused(tmp_path):
    text = PLAN.replace("    components:", "    terms: {a: b + 1, b: a + 1}\n    components:").replace("(wage)", "(a)")
    problems = check_plans(load_settings(), write(tmp_path, text).parent)
    assert "needs itself" in problems[0]


def test_measures_in_a_circle_are_refused(tmp_path):
    circle = "    measures:\n" + "".join(
        f"      {name}: {{labels: {{zh: x, en: x}}, formula: {other} + 1}}\n"
        for name, other in (("one", "two"), ("two", "one"))
    )
    problems = check_plans(
        load_settings(), write(tmp_path, PLAN.replace("    components:", circle + "    components:")).parent
    )
    assert "needs itself: one → two → one" in problems[0]


@pytest.mark.parametrize(
    ("bands", "words"),
    [
        (["[0, 20]", "[20, 30]"], "overlap"),
        (["[0, 20]", "(10, 30]"], "overlap"),
        (["[0, 20)", "(20, 30]"], "gap"),
        (["[0, 20]", "[21, 30]"], "gap"),
        (["[30, 20]"], "ends before it starts"),
        (["20..30"], "is not a band"),
    ],
)
def test_bands_must_neither_overlap_nor_leave_a_gap(bands, words):
    with pytest.raises(ValueError, match=words):
        order_bands([Band.parse(interval, 1) for interval in bands])


def test_reserve_reads_the_senior_and_trial_the_junior_where_a_table_has_no_figure():
    figure = Figure(by="grade", values={"junior": 1, "senior": 3, "lead": 4}, provenance="seed")
    assert dict(figure.cells()) == {
        ("junior",): 1,
        ("senior",): 3,
        ("lead",): 4,
        ("reserve",): 3,
        ("trial",): 1,
    }
    own = Figure(by="grade", values={"trial": 0, "junior": 1}, provenance="seed")
    assert dict(own.cells()) == {("trial",): 0, ("junior",): 1}


def test_two_files_of_one_plan_are_refused(tmp_path):
    write(tmp_path, PLAN)
    write(tmp_path, PLAN, "other.yaml")
    with pytest.raises(PolicyError, match="stands in"):
        load_plans(load_settings(policy_dir=tmp_path))


def test_broken_yaml_is_one_sentence(tmp_path):
    path = write(tmp_path, PLAN + "  - [")
    with pytest.raises(PolicyError, match=r"night_watch.yaml:\d+: not valid YAML"):
        read_file(path, Plan)


def test_yaml_cannot_run_code(tmp_path):
    with pytest.raises(PolicyError, match="not valid YAML"):
        read_file(write(tmp_path, "plan: !!python/object/apply:os.getcwd []\n"), Plan)


def test_the_shipped_plans_mark_every_figure():
    for loaded in load_plans(load_settings()).values():
        text = yaml.safe_load(loaded.path.read_text(encoding="utf-8"))
        for version in text["versions"]:
            assert all(figure["provenance"] in ("seed", "assumption") for figure in version.get("figures", {}).values())
