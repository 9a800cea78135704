"""A plan shown to people: in their language, with what is assumed told apart by word and colour, formulas in words."""

from __future__ import annotations

from datetime import date

import pytest
from rich.console import Console
from typer.testing import CliRunner

from csperf.cli import app
from csperf.errors import CsperfError, UsageError
from csperf.policy.commands import list_plans, show_plan
from csperf.policy.functions import FUNCTIONS
from csperf.policy.library import base_measures, load_plans
from csperf.policy.render import markdown, terminal
from csperf.policy.words import _CALLS, Words
from csperf.settings import load_settings
from tests.policy.plan_texts import PLAN, write

DAY = date(2026, 9, 30)
PLAN_OF_ALL = """\
plan: night_watch
labels: {zh: 夜班, en: Night watch}
source: house rules of 2026
pay_date: last_working_day
versions:
  - effective_from: 2026-01-01
    uses: [night_extra]
    figures:
      wage:
        by: [post, grade]
        values:
          basic, voice: {"trial, junior": 3000, senior: 4000}
          vip: {junior: 3500, senior: 4500}
        provenance: seed
        assumed: [voice]
        labels: {zh: 岗位工资, en: post wage}
      marks: {bands: {"[0, 60)": 1, "[60, 100]": 2}, provenance: assumption}
      places: {value: 2, provenance: assumption, labels: {zh: 名额, en: places}}
      sample: {value: 5, provenance: seed}
    terms: {half_wage: wage / 2}
    measures:
      mark:
        labels: {zh: 等级, en: mark}
        unit: level
        formula: band(marks, exam_score)
        levels: {1: {code: low, zh: 待改进, en: weak}, 2: {code: high, zh: 良好, en: good}}
    scorecard: {rating: mark, director_below: high}
    sampling: {figure: sample}
    components:
      base_pay:
        labels: {zh: 基本工资, en: base pay}
        formula: prorated(half_wage)
      year_bonus:
        labels: {zh: 年终奖, en: year-end bonus}
        frequency: year
        formula: case when grade = 'senior' and year.csat_rate >= 0.9 then wage else 0 end
    tiers:
      ladder: [junior, senior]
      rules:
        - decision: promote
          grades: junior
          reason: {zh: 成绩优良, en: good marks}
          contest: {places: places, within: team, by: "months_mean(3, mark)", labels: {zh: 竞争, en: contest}}
          conditions:
            - name: months
              labels: {zh: 月数, en: months}
              value: months_met(3, mark >= 2)
              operator: ">="
              threshold: 3
        - decision: hold
          reason: {zh: 不变, en: no change}
  - effective_from: 2027-01-01
    components:
      base_pay: {labels: {zh: 基本工资, en: base pay}, formula: 1}
"""
PART = """\
shared: night_extra
labels: {zh: 夜班补贴办法, en: Night rules}
source: house rules of 2026
versions:
  - effective_from: 2026-01-01
    figures:
      night_rate: {value: 30, provenance: seed, labels: {zh: 夜班补贴标准, en: night rate}}
    components:
      night_pay:
        labels: {zh: 夜班补贴, en: night pay}
        formula: night_rate * night_shifts
      night_fund: {group: contribution, labels: {zh: 夜班基金, en: night fund}, formula: 1}
"""


@pytest.fixture
def settings(tmp_path):
    write(tmp_path, PLAN_OF_ALL)
    write(tmp_path, PART, "shared/night_extra.yaml")
    return load_settings(policy_dir=tmp_path)


def text_of(page) -> str:
    console = Console(width=160, no_color=True)
    with console.capture() as capture:
        console.print(terminal(page))
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def test_a_plan_in_english(settings):
    text = text_of(show_plan(settings, "night_watch", DAY, "en"))
    for line in (
        "Night watch",
        "in force   from 2026-01-01 to 2026-12-31",
        "paid       on the month's last working day",
        "uses       Night rules (night_extra)",
        "figures    3 of 5 are or hold assumptions, which the company must decide",
        "  base pay  base_pay  [each month]\n      half_wage, prorated by days active and days paid",
        "  year-end bonus  year_bonus  [each year, in December]\n"
        "      if grade = senior and the year's share of ratings of 4 or 5 ≥ 0.9: post wage; else 0",
        "  night pay  night_pay  [each month; from Night rules]\n      night rate (30) × night shifts",
        "Contributions, outside gross pay\n  night fund",
        "      1 = weak; 2 = good",
        "  half_wage\n      post wage ÷ 2\n      wage / 2",
        "rating: mark",
        "for the director's ruling: whoever is rated below good",
        "QA sample: 5 interactions an agent and day",
        "junior → senior",
        "  1. promote — good marks  [for junior]\n      • months\n"
        "        the number of the last 3 months with (mark ≥ 2) ≥ 3",
        "        2 places in each team, by the mean of mark over the last 3 months",
        "  2. hold — no change\n      in all other cases",
    ):  # fmt: skip
        assert line in text, line


def test_a_plan_in_chinese_has_its_terms(settings):
    text = text_of(show_plan(settings, "night_watch", DAY, "zh"))
    for line in (
        "有效期    2026-01-01 起，至 2026-12-31",
        "  年终奖  year_bonus  [每年，于12月发放]\n      若 级别 = 高级 且 年度满意度 ≥ 0.9，则 岗位工资；否则 0",
        "  夜班补贴  night_pay  [每月; 见「夜班补贴办法」]\n      夜班补贴标准（30） × 夜班次数",
        "社保公积金，不计入应发工资\n  夜班基金",
        "初级 → 高级",
        "        近 3 个月中满足「等级 ≥ 2」的月数 ≥ 3",
        "        每个团队 2 个名额，按 近 3 个月 等级 的平均 排名",
        "交主管裁定: 等级低于「良好」者",
    ):
        assert line in text, line
    assert "Night watch" not in text


def test_figures_say_for_whom_how_much_and_whose(settings):
    page = show_plan(settings, "night_watch", DAY, "en")
    (table,) = [section.table for section in page.sections if section.table is not None]
    rows = [tuple("\n".join(part.text for part in cell) for cell in row) for row in table.rows]
    assert rows == [
        ("post wage\nwage", "basic", "trial, junior: 3000\nsenior, reserve: 4000", "seed"),
        ("", "vip", "trial, junior: 3500\nsenior, reserve: 4500", "seed"),
        ("", "voice", "trial, junior: 3000\nsenior, reserve: 4000", "assumption"),
        ("marks", "", "0 ≤ x < 60 → 1 weak\n60 ≤ x ≤ 100 → 2 good", "assumption"),
        ("places\nplaces", "", "2", "assumption"),
        ("sample", "", "5", "seed"),
        ("night rate\nnight_rate\nfrom Night rules", "", "30", "seed"),
    ]


def test_what_is_assumed_has_a_word_and_a_colour(settings):
    console = Console(width=160, force_terminal=True, color_system="standard")
    with console.capture() as capture:
        console.print(terminal(show_plan(settings, "night_watch", DAY, "en")))
    text = capture.get()
    assert "\x1b[1;33massumption\x1b[0m" in text
    assert "\x1b[32mseed\x1b[0m" in text


def test_both_languages_stand_side_by_side(settings):
    text = text_of(show_plan(settings, "night_watch", DAY))
    assert "夜班 · Night watch" in text
    assert "薪资项目 · What is paid" in text
    assert "原文 · seed" in text
    assert "假定 · assumption" in text
    assert "      若 级别 = 高级 且" in text
    assert "      if grade = senior and" in text


def test_markdown_for_a_handbook(settings):
    text = markdown(show_plan(settings, "night_watch", DAY, "en"))
    assert text.startswith("# Night watch\n\n- plan: `night_watch`\n")
    assert "\n## What is paid\n\n**base pay** `base_pay` (each month)\n\n- half_wage, prorated" in text
    assert "| figure | for | value | provenance |\n| --- | --- | --- | --- |\n" in text
    assert "| marks" not in text
    assert "| `marks` |  | 0 ≤ x &lt; 60 → 1 weak<br>60 ≤ x ≤ 100 → 2 good | **assumption** |" in text
    assert (
        "\n- months\n  - the number of the last 3 months with (mark ≥ 2) ≥ 3\n  - `months_met(3, mark >= 2) >= 3`"
        in text
    )
    assert "\n\n\n" not in text


def test_the_version_of_the_day_is_shown(settings):
    text = text_of(show_plan(settings, "night_watch", date(2027, 1, 1), "en"))
    assert "in force   from 2027-01-01\n" in text
    assert "night pay" not in text


def test_a_plan_that_is_not_there_or_not_in_force_yet_is_told(settings):
    with pytest.raises(UsageError, match="There is no plan 'nightwatch'; did you mean 'night_watch'"):
        show_plan(settings, "nightwatch", DAY)
    with pytest.raises(CsperfError, match="not in force on 2025-12-31: it starts on 2026-01-01"):
        show_plan(settings, "night_watch", date(2025, 12, 31))


@pytest.mark.parametrize("code", list(load_plans(load_settings())))
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_shipped_plan_can_be_shown(code, lang):
    page = show_plan(load_settings(), code, DAY, lang)
    assert text_of(page)
    assert markdown(page)
    labelled = [row[0] for section in page.sections if section.table for row in section.table.rows if row[0][0].text]
    assert all(cell[0].style != "code" for cell in labelled), "a shipped figure has no label"


def test_every_function_is_said_in_words():
    assert set(FUNCTIONS) <= set(_CALLS)


@pytest.mark.parametrize(
    ("formula", "zh", "en"),
    [
        ("greatest(0, volume - 3)", "（接待量 − 3，不低于 0）", "(interactions of the post − 3, at least 0)"),
        ("least(volume, tickets)", "（接待量、工单量）中最小者", "the least of (interactions of the post, tickets)"),
        ("floor(tenure_months / 12)", "（司龄(月) ÷ 12）取整", "the whole part of (months since joining ÷ 12)"),
        ("coalesce(csat_rate, 0)", "满意度（无则取 0）", "share of ratings of 4 or 5 (where absent: 0)"),
        ("round(wage, 1)", "（100.10）四舍五入至 1 位小数", "(100.10) rounded to 1 places"),
        (
            "case when grade in ('lead', 'manager') and csat_rate is not null then 1 end",
            "若 级别 为 组长、经理 且 满意度 有值，则 1；否则无",
            "if grade is one of lead, manager and share of ratings of 4 or 5 is there: 1; else nothing",
        ),
        ("rank_of(tickets, post)", "工单量 在同岗位中的名次", "the place by tickets among those of the same post"),
        ("group_max(tickets)", "全员的最高 工单量", "the highest tickets of all members"),
        ("-1 * quarter.tickets", "−1 × 季度工单量", "−1 × the quarter's tickets"),
        ("not (tickets = 1 or volume <> 2)", "非 ((工单量 = 1 或 接待量 ≠ 2))",
         "not ((tickets = 1 or interactions of the post ≠ 2))"),
        ("unheard_of(tickets)", "unheard_of(工单量)", "unheard_of(tickets)"),
    ],
)  # fmt: skip
def test_formulas_in_words(tmp_path, formula, zh, en):
    write(tmp_path, PLAN)
    version = load_plans(load_settings(policy_dir=tmp_path))["night_watch"].versions[0]
    assert Words(version, base_measures(), "zh")(formula) == zh
    assert Words(version, base_measures(), "en")(formula) == en


def test_the_list_names_what_each_plan_follows():
    console = Console(width=200)
    with console.capture() as capture:
        console.print(list_plans(load_settings()))
    text = capture.get()
    assert "cs_2017 (default)" in text
    for title in {loaded.plan.source for loaded in load_plans(load_settings()).values()}:
        assert title in text


def test_the_command_takes_language_and_format(tmp_path, monkeypatch):
    write(tmp_path, PLAN)
    monkeypatch.setenv("CSPERF_POLICY_DIR", str(tmp_path))
    shown = CliRunner().invoke(
        app, ["policy", "show", "night_watch", "--on", "2026-09-30", "--lang", "zh", "--format", "md"]
    )
    assert shown.exit_code == 0
    assert shown.stdout.startswith("# 夜班\n")
    assert "base_pay" in shown.stdout
