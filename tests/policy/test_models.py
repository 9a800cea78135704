"""Plan files say what they mean or are refused with file, line, key and reason."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
import yaml

from csperf.policy.figures import Figure
from csperf.policy.library import load_plans
from csperf.policy.models import Plan
from csperf.policy.problems import PolicyError
from csperf.policy.reading import read_file
from csperf.settings import load_settings
from tests.policy.plan_texts import PLAN, problems_of, write


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
        ("value: 100.10", "vlaue: 100.10", 7, "there is no key 'vlaue' here; did you mean 'value'?"),
        ("prorated(wage)", "prorated(wge)", 11, "did you mean 'wage'"),
        ("prorated(wage)", "prorated(wage) * volumes", 11, "did you mean 'volume'"),
        ("value: 100.10", "by: grade, values: {juniour: 1}", 7, "'juniour' is no grade; did you mean 'junior'?"),
        ("plan: night_watch", "plan: Night Watch", 1, "did you mean 'night_watch'?"),
        ("effective_from: 2026-01-01", "effective_from: yesterday", 5, "'yesterday' is no date"),
        ("base_pay:", "volume:", 9, "already a measure of the catalogue"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, old, new, line, words):
    path = write(tmp_path, PLAN.replace(old, new))
    (problem,) = (problem for problem in problems_of(tmp_path) if not problem.warning)
    assert f"{path.name}:{line}" in str(problem)
    assert words in str(problem)


@pytest.mark.parametrize(
    ("bands", "words"),
    [
        (["[0, 20]", "[20, 30]"], ["bands [0, 20] and [20, 30] overlap"]),
        (["[0, 20]", "(10, 30]"], ["bands [0, 20] and (10, 30] overlap"]),
        (["[0, 20)", "(20, 30]"], ["there is a gap between bands [0, 20) and (20, 30]"]),
        (["[0, 20]", "[21, 30]"], ["there is a gap between bands [0, 20] and [21, 30]"]),
        (
            ["[0, 90]", "[10, 20]", "[95, 99]"],
            ["[0, 90] and [10, 20] overlap", "gap between bands [0, 90] and [95, 99]"],
        ),
        (["[30, 20]"], ["band '[30, 20]' ends before it starts"]),
        (["(5, 5]"], ["band '(5, 5]' holds no number; write '[5, 5]'"]),
        (["20..30"], ["'20..30' is not a band"]),
        (["[1.2.3, 5]"], ["'[1.2.3, 5]' is not a band"]),
        (["[0, 10]", "[5, 20]", "[x, 30]"], ["'[x, 30]' is not a band", "[0, 10] and [5, 20] overlap"]),
    ],
)
def test_what_is_wrong_with_bands_is_told_all_at_once(bands, words):
    with pytest.raises(ValueError) as refused:
        Figure(bands=dict.fromkeys(bands, 1), provenance="seed")
    for told in words:
        assert told in str(refused.value)


@pytest.mark.parametrize("value", [True, "2", None, Decimal("1E+13"), Decimal("0.0000001")])
def test_a_number_of_a_table_or_a_band_is_a_number_of_money(value):
    with pytest.raises(ValueError, match=r"is not a number|is missing|decimal places"):
        Figure(by="grade", values={"junior": value}, provenance="seed")
    with pytest.raises(ValueError, match=r"is not a number|is missing|decimal places"):
        Figure(bands={"[0, inf)": value}, provenance="seed")


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        ({"value": 1, "bands": {"[0, 1]": 1}}, "give exactly one of value"),
        ({"values": {"junior": 1}}, "a table needs 'by'"),
        ({"by": "grad", "values": {"junior": 1}}, "'grad' is no attribute; did you mean 'grade'?"),
        ({"by": ["grade", "grade"], "values": {"junior": 1}}, "an attribute stands twice"),
        ({"by": "grade", "value": 1}, "leave 'by' away"),
        ({"by": "grade", "values": {"junior": 1, "junior, senior": 2}}, "'junior' stands twice"),
        ({"by": ["post", "grade"], "values": {"basic": 1}}, "a table by grade is wanted here"),
        ({"by": "grade", "values": {"junior": 1}, "assumed": ["senoir", "junior"]}, "the table has no key 'senoir'"),
        ({"bands": {}}, "a scale needs a band"),
    ],
)
def test_a_figure_has_one_shape_and_known_keys(figure, words):
    with pytest.raises(ValueError, match=words.replace("?", r"\?")):
        Figure(provenance="seed", **figure)


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
    with pytest.raises(PolicyError, match=r"other\.yaml:1 at plan: 'night_watch' stands in night_watch\.yaml too"):
        load_plans(load_settings(policy_dir=tmp_path))


def test_the_shipped_plans_mark_every_figure():
    for loaded in load_plans(load_settings()).values():
        text = yaml.safe_load(loaded.path.read_text(encoding="utf-8"))
        for version in text["versions"]:
            assert all(figure["provenance"] in ("seed", "assumption") for figure in version.get("figures", {}).values())
