"""A check of plans tells every problem, with what was probably meant, and none where there is none."""

from __future__ import annotations

import pytest

from csperf.errors import CsperfError
from csperf.policy.commands import check_plans
from csperf.policy.library import load_plans
from csperf.settings import load_settings
from tests.policy.plan_texts import NO_TEXTS, PLAN, added, problems_of, told, with_scale, write


def test_the_shipped_plans_are_without_problems():
    assert check_plans(load_settings()) == []


def test_every_problem_of_a_file_is_told_not_only_the_first(tmp_path):
    text = added("bonus: wge * volme\nextra: prorate(wage)").replace("zh: 夜班, ", "zh: 夜班, cn: x, ")
    write(tmp_path, text.replace("value: 100.10", "value: 1.1234567"))
    assert told(tmp_path) == [
        "night_watch.yaml:2 at labels.cn: there is no key 'cn' here; the keys are zh, en.",
        "night_watch.yaml:7 at versions.0.figures.wage.value: '1.1234567' has more than 6 decimal places.",
        "night_watch.yaml:12 at versions.0.components.bonus.formula: there is no measure, figure or term 'wge'; "
        "did you mean 'wage'?",
        "night_watch.yaml:12 at versions.0.components.bonus.formula: there is no measure, figure or term 'volme'; "
        "did you mean 'volume'?",
        "night_watch.yaml:13 at versions.0.components.extra.formula: there is no function 'prorate'; "
        "did you mean 'prorated'?",
    ]


def test_problems_of_all_files_are_told(tmp_path):
    write(tmp_path, PLAN.replace("prorated(wage)", "prorated(wge)"))
    write(tmp_path, PLAN.replace("prorated(wage)", "nothing").replace("night_watch", "day_watch"), "day_watch.yaml")
    write(tmp_path, "shared: part\nlabels: {zh: 甲, en: a}\nversions: []\n", "shared/part.yaml")
    assert {line.partition(":")[0] for line in told(tmp_path)} == {
        "day_watch.yaml",
        "night_watch.yaml",
        "shared/part.yaml",
    }


# ---- scales -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bands", "subject", "reason"),
    [
        ('{"[-5, 0)": 1, "[0, inf)": 2}', "tickets", "band [-5, 0) is never reached: 'tickets' is at least 0."),
        (
            '{"[0, 1]": 1, "(1, inf)": 2}',
            "csat_rate",
            "band (1, ∞) is never reached: 'csat_rate' is at least 0 and at most 1.",
        ),
        (
            '{"[0, 3]": 1, "(3, 3.5]": 2, "(3.5, inf)": 3}',
            "complaints",
            "band (3, 3.5] holds no whole number, and 'complaints' is counted in whole numbers.",
        ),
        (
            '{"[0, inf)": 1}',
            "net_sales",
            "'net_sales' may be below 0, which no band holds: say what it gives there, like \"(-inf, 0)\": 0.",
        ),
        (
            '{"(0, 1]": 1}',
            "quarter.csat_rate",
            "'quarter.csat_rate' may be 0, which no band holds: say what it gives there, like \"(-inf, 0]\": 0.",
        ),
        (
            '{"[0, 1)": 1}',
            "csat_rate",
            "'csat_rate' may be 1, which no band holds: say what it gives there, like \"[1, inf)\": 0.",
        ),
        (
            '{"[0, 1.5]": 1}',
            "sales_completion * 1",
            "'sales_completion * 1' may be below 0, which no band holds: "
            'say what it gives there, like "(-inf, 0)": 0.',
        ),
        (
            '{"[1, 3]": 1, "(3, 10]": 2}',
            "rank_of(net_sales)",
            "'rank_of(net_sales)' may be above 10, which no band holds: "
            'say what it gives there, like "(10, inf)": 0.',
        ),
        (
            '{"[2, inf)": 1}',
            "full_attendance",
            "'full_attendance' may be 0, 1, which no band holds: say what it gives there, like \"(-inf, 2)\": 0.",
        ),
        (
            '{"(-inf, 0]": 1, "(0, 1)": 2, "[1, inf)": 3}',
            "full_attendance",
            "band (0, 1) holds none of the numbers of 'full_attendance': 0, 1.",
        ),
    ],
)
def test_a_scale_against_what_it_is_asked_for(tmp_path, bands, subject, reason):
    write(tmp_path, with_scale(bands, subject))
    found = [problem for problem in problems_of(tmp_path) if not problem.warning]
    assert reason in [problem.reason if problem.reason.endswith("?") else f"{problem.reason}." for problem in found]
    assert {problem.line for problem in found} == {7}


@pytest.mark.parametrize(
    ("bands", "subject"),
    [
        ('{"(-inf, 30]": 1, "(30, inf)": 2}', "tickets"),  # more than is needed is no fault
        ('{"[0, 1]": 1}', "csat_rate"),
        ('{"[1, 5]": 1}', "csat_mean"),
        ('{"[0, 1.5]": 1}', "greatest(0, least(sales_completion, 1.5))"),
        ('{"[0, 100]": 1}', "scaled_up(0.4, csat_rate * 100, 0.6, greatest(0, 100 - qa_deduction))"),
        ('{"[0, 10]": 1}', "100 - 90"),
        ('{"[0, 3]": 1}', "months_met(3, volume > 0)"),
        ('{"[0, 6]": 1}', "months_sum(6, full_attendance)"),
        ('{"[-1, 2]": 1}', "case when volume > 0 then 2 else -1 end"),
        ('{"[0, 0.5]": 1}', "csat_rate / 2"),
        ('{"[0, 1]": 1}', "full_attendance"),
        ('{"[0, 1]": 1, "(1, inf)": 2}', "complaint_rate"),
        ('{"[0, inf)": 1}', "floor(tenure_months / 12)"),
    ],
)
def test_a_scale_that_holds_all_it_is_asked_for_is_right(tmp_path, bands, subject):
    write(tmp_path, with_scale(bands, subject))
    assert told(tmp_path) == []


def test_what_may_only_perhaps_fall_outside_is_a_warning(tmp_path):
    write(tmp_path, with_scale('{"[0, inf)": 1}', "scheduled_days - worked_days"))
    (problem,) = problems_of(tmp_path)
    assert problem.warning
    assert "'scheduled_days - worked_days' may be below 0, which no band holds" in problem.reason


def test_a_band_that_one_of_two_uses_reaches_is_right(tmp_path):
    text = with_scale('{"(-inf, 0)": 1, "[0, inf)": 2}', "tickets")
    write(tmp_path, text)
    assert any("never reached" in line for line in told(tmp_path))
    write(tmp_path, text + f'      more: {{labels: {NO_TEXTS}, formula: "band(scale, net_sales)"}}\n')
    assert told(tmp_path) == []


def test_a_scale_by_attributes_is_told_at_its_row(tmp_path):
    bands = '\n          basic, voice: {"[0, inf)": 1}\n          vip: {"[0, 9]": 1}\n       '
    text = with_scale("?", "tickets").replace(
        "{bands: ?, provenance: seed}", f"\n        by: post\n        bands:{bands} provenance: seed"
    )
    write(tmp_path, text)
    assert told(tmp_path) == [
        "night_watch.yaml:11 at versions.0.figures.scale.bands.vip: 'tickets' may be above 9, which no band holds: "
        'say what it gives there, like "(9, inf)": 0.'
    ]


LEVELS = """\
    measures:
      mark:
        labels: {zh: 甲, en: a}
        unit: level
        formula: FORMULA
        levels: {1: {code: low, zh: 低, en: low}, 2: {code: high, zh: 高, en: high}}
    components:
"""


@pytest.mark.parametrize(
    ("formula", "reasons"),
    [
        ("case when volume > 0 then 2 else 1 end", []),
        ("1 + full_attendance", []),
        ("full_attendance", ["'mark' may be 0, which has no level.", "warning: level 2 (high) is never given"]),
        ("csat_mean", ["warning: the formula may give numbers that are no level of 'mark'; band(…) or floor"]),
        ("floor(csat_mean)", ["'mark' may be 3, 4, 5, which has no level."]),
    ],
)
def test_each_number_of_a_level_measure_has_a_level(tmp_path, formula, reasons):
    write(tmp_path, PLAN.replace("    components:\n", LEVELS.replace("FORMULA", formula)))
    found = told(tmp_path)
    assert len(found) == len(reasons)
    for reason, line in zip(reasons, found, strict=True):
        assert reason in line


def test_a_band_that_no_level_reaches_is_told(tmp_path):
    text = PLAN.replace("    components:\n", LEVELS.replace("FORMULA", "1 + full_attendance"))
    scale = '      pay: {bands: {"[1, 1]": 0, "(1, 2)": 50, "[2, 2]": 100}, provenance: seed}\n'
    write(tmp_path, text.replace("    measures:", scale + "    measures:") + added("x: band(pay, mark)")[len(PLAN) :])
    assert told(tmp_path) == [
        "night_watch.yaml:8 at versions.0.figures.pay.bands.(1, 2): band (1, 2) holds none of the numbers of 'mark': "
        "1, 2."
    ]


# ---- names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("case when grade = 'seniour' then 1 end", "'seniour' is no grade; did you mean 'senior'?"),
        ("case when 'vpi' <> post then 1 end", "'vpi' is no post; did you mean 'vip'?"),
        ("case when education in ('college', 'bachelors') then 1 end", "'bachelors' is no education; did you mean"),
        ("case when employment = 'x' then 1 end", "'x' is no employment; the codes are full_time, part_time."),
        ("case when team = 'anything' then 1 else 0 end", None),
        ("band(scales, volume)", "there is no figure 'scales'"),
        ("months_men(3, volume)", "there is no function 'months_men'; did you mean 'months_mean'?"),
        ("quarter.volme", "'quarter.volme': there is no measure 'volme'; did you mean 'volume'?"),
        ("group_mean(volume, tema)", "there is no measure, figure or term 'tema'"),
        ("base_salry", "did you mean 'base_salary'?"),
    ],
)
def test_what_is_not_there_is_told_with_the_nearest(tmp_path, formula, reason):
    write(tmp_path, added(f"bonus: {formula}"))
    found = told(tmp_path)
    assert any(reason in line for line in found) if reason else found == []


def test_a_name_kept_for_corrections_is_refused(tmp_path):
    write(tmp_path, added("retro_base_pay: wage"))
    with pytest.raises(CsperfError, match="names of components that start with 'retro_' are kept"):
        load_plans(load_settings(policy_dir=tmp_path))


@pytest.mark.parametrize("name", ["grade", "gross_pay", "base_salary", "next_grade", "wage"])
def test_a_name_stands_for_one_thing(tmp_path, name):
    write(tmp_path, PLAN.replace("    components:", f"    terms: {{{name}: volume}}\n    components:"))
    assert any(f"'{name}' is already" in line for line in told(tmp_path))


def test_circles_of_terms_and_measures_are_told_once(tmp_path):
    measures = "".join(
        f"      {name}: {{labels: {NO_TEXTS}, formula: {other} + 1}}\n" for name, other in (("m1", "m2"), ("m2", "m1"))
    )
    circles = f"    terms: {{t1: t2 + 1, t2: t3, t3: t1}}\n    measures:\n{measures}    components:\n"
    write(tmp_path, PLAN.replace("    components:\n", circles) + added("bonus: t1 + t2")[len(PLAN) :])
    assert told(tmp_path) == [
        "night_watch.yaml:8 at versions.0.terms.t1: term 't1' needs itself: t1 → t2 → t3 → t1.",
        "night_watch.yaml:10 at versions.0.measures.m1: 'm1' needs itself: m1 → m2 → m1.",
    ]


def test_components_in_a_circle_are_refused(tmp_path):
    write(tmp_path, added("one: two + 1\ntwo: one + 1"))
    (line,) = told(tmp_path)
    assert "versions.0.components.one: 'one' needs itself: one → two → one" in line


def test_what_nothing_reads_is_a_warning(tmp_path):
    more = "    figures:\n      spare: {value: 1, provenance: seed, labels: {zh: 甲, en: wage}}\n"
    text = PLAN.replace("    figures:\n", more).replace("    components:", "    terms: {idle: wage}\n    components:")
    write(tmp_path, text)
    assert told(tmp_path) == [
        "night_watch.yaml:7 at versions.0.figures.spare: warning: nothing reads the figure 'spare'.",
        "night_watch.yaml:9 at versions.0.terms.idle: warning: nothing reads the term 'idle'.",
    ]
    assert "night_watch" in load_plans(load_settings(policy_dir=tmp_path))


def test_scorecard_and_sample_name_what_is_there(tmp_path):
    card = "    scorecard: {score: total, rating: total, director_below: good}\n    sampling: {figure: wages}\n"
    write(tmp_path, PLAN.replace("    components:", card + "    components:"))
    assert [line.partition(": ")[2] for line in told(tmp_path)] == [
        "there is no derived measure 'total'.",
        "there is no derived measure 'total'.",
        "there is no rating with levels.",
        "there is no plain figure 'wages'; did you mean 'wage'?",
    ]


# ---- periods ----------------------------------------------------------------------------------------------------

PERIODS = """\
    measures:
      monthly: {labels: {zh: 甲, en: a}, formula: volume}
      quarterly: {labels: {zh: 乙, en: b}, period: quarter, formula: "FORMULA"}
    components:
"""


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        ("volume", None),
        ("months_mean(3, monthly)", None),
        ("monthly", "'monthly' is a measure of the month, and the quarter's is read here; write months_mean(3, "
         "monthly), or add quarter to its period."),
        ("quarter.volume", "'quarter.volume' cannot be read by a measure of a quarter, which has the quarter's values; "
         "write 'volume' alone"),
        ("months_mean(3, quarterly)", "'quarterly' is a measure of the quarter, and the month's is read here"),
        ("months_mean(3, quarter.volume)", "'quarter.volume' cannot be read by a look over months"),
        ("quarters_mean(4, volume)", "quarters_mean reads a measure of the plan with 'period: quarter', "
         "and 'volume' is none"),
        ("quarters_mean(4, quarterly)", "a measure of a quarter cannot look over quarters; a measure of a "
         "year and a component can"),
    ],
)  # fmt: skip
def test_a_formula_reads_values_of_the_period_it_looks_at(tmp_path, formula, reason):
    write(tmp_path, PLAN.replace("    components:\n", PERIODS.replace("FORMULA", formula)))
    found = told(tmp_path)
    assert any(reason in line for line in found) if reason else found == []


@pytest.mark.parametrize("look", ["months_mean(3, other)", "months_met(3, other > 1)", "reports_mean(other)"])
def test_a_month_measure_looks_over_measures_of_the_catalogue_and_the_month_before(tmp_path, look):
    measures = f"""\
    measures:
      other: {{labels: {{zh: 甲, en: a}}, formula: volume * 2}}
      looking: {{labels: {{zh: 乙, en: b}}, formula: "{look}"}}
    components:
"""
    write(tmp_path, PLAN.replace("    components:\n", measures))
    (line,) = told(tmp_path)
    assert "would find no 'other' of this month, which is only being reckoned; look over it in a component" in line
    write(
        tmp_path, PLAN.replace("    components:\n", measures.replace(look, "previous(other) + months_mean(3, volume)"))
    )
    assert told(tmp_path) == []


def test_a_look_over_months_reaches_back_two_years(tmp_path):
    write(tmp_path, added("bonus: months_sum(25, volume) + months_sum(24, volume)"))
    (line,) = told(tmp_path)
    assert "a look over months reaches back 24 months at most, not 25" in line


def test_a_component_reads_a_measure_of_its_period(tmp_path):
    text = PLAN.replace("    components:\n", PERIODS.replace("FORMULA", "volume"))
    write(tmp_path, text + added("one: quarterly\ntwo: quarter.monthly\nthree: quarter.quarterly")[len(PLAN) :])
    found = told(tmp_path)
    assert "versions.0.components.one.formula: 'quarterly' is a measure of the quarter" in found[0]
    assert "versions.0.components.two.formula: 'monthly' is a measure of the month, and the quarter's" in found[1]
    assert "warning: the quarter's value is there in its last month only, and this is paid each month" in found[2]
    assert "components.three.formula: warning: the quarter's value" in found[3]
    assert len(found) == 4
