"""Pay of the plans that live on service: layered, standard, call_center, rated, framework, presales_kpi.

Written from the text of the schemes alone. Amounts are exact; the caller rounds each line once. What a plan calls a
score is a measure and is rounded to six places before it is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from tests.oracle.cards import ZERO, Book, Card, Lines, by_grade, percent, share, times, weighted
from tests.oracle.rounding import exact
from tests.oracle.sales_plans import appraisal_factor


def full_years(card: Card) -> Fraction:
    return Fraction(card.values["tenure_months"] // 12)


def mean(numbers: Iterable[Fraction]) -> Fraction | None:
    """Absent of nothing."""
    found = list(numbers)
    return sum(found, ZERO) / len(found) if found else None


LAYERED_BASE = {"junior": "3000", "intermediate": "3500", "senior": "4000", "principal": "4500"}


def layered_base(card: Card) -> Fraction | None:
    """客服薪资架构方案: by grade, and 100 a full year of tenure up to 500 (also of 客服薪酬制度规划)."""
    base = by_grade(LAYERED_BASE, card.person.grade)
    return None if base is None else base + min(Fraction(500), 100 * full_years(card))


def volume_against_mean(card: Card) -> Fraction | None:
    """Volume as a share of the post's mean, as a factor of 0 to 100."""
    return percent(share(card.get("volume"), card.get("volume_post_mean")))


def layered_month_score(card: Card) -> Fraction | None:
    """客服薪资架构方案, a month: volume against the post's mean 50%, csat 50%."""
    return weighted(("0.5", volume_against_mean(card)), ("0.5", percent(card.get("csat_rate"))))


def layered_quarter_score(card: Card) -> Fraction | None:
    """客服薪资架构方案, a quarter: error tickets 40%, csat 30%, sales 30%."""
    wrong = share(card.get("error_tickets"), card.get("tickets"))
    return weighted(
        ("0.4", None if wrong is None else percent(1 - wrong)),
        ("0.3", percent(card.get("csat_rate"))),
        ("0.3", percent(card.get("sales_completion"))),
    )


def layered_year_score(book: Book, who: str) -> Fraction | None:
    """客服薪资架构方案, a year: the means of its month and quarter scores on the plan, and the extra contribution."""
    assert book.year is not None
    months = [each.members("layered").get(who) for each in book.months_of_year()]
    month_scores = [card.scores["month_score"] for card in months if card and "month_score" in card.scores]
    quarters = [each.quarter[who] for each in book.months_of_year() if each.quarter and who in each.quarter]
    quarter_scores = [
        card.scores["quarter_score"]
        for card in quarters
        if card.person.plan == "layered" and "quarter_score" in card.scores
    ]
    extra = min(Fraction(100), book.year[who].values["excellent_case_points"])
    return weighted(("0.4", mean(month_scores)), ("0.4", mean(quarter_scores)), ("0.2", extra))


def layered(book: Book, who: str) -> Lines:
    """客服薪资架构方案 (base, performance, subsidies)"""
    card = book.cards[who]
    education = {"bachelor": "200", "master": "400"}.get(card.person.education, "0")
    lines: Lines = {
        "base_pay": times(layered_base(card), card.share_of_month),
        "monthly_performance": times("600", card.scores.get("month_score"), "0.01"),
        "night_shift_subsidy": times("30", card.get("night_shifts")),
        "education_subsidy": Fraction(education),
    }
    if book.quarter is not None:
        lines["quarterly_performance"] = times("900", book.quarter[who].scores.get("quarter_score"), "0.01")
    if book.year is not None:
        score = layered_year_score(book, who)
        lines["annual_performance"] = times("1800", None if score is None else exact(score), "0.01")
    return lines


def overtime_pay(card: Card, base: int) -> Fraction:
    """客服薪资架构方案 (five parts): the hour at 21.75 days of 8 hours, 1.5, 2 and 3 times."""
    values = card.values
    hours = values["overtime_hours_workday"] * Fraction("1.5")
    hours += values["overtime_hours_restday"] * 2 + values["overtime_hours_holiday"] * 3
    return hours * base / Fraction("21.75") / 8


def service_score(card: Card) -> Fraction | None:
    """客服薪酬方案: satisfaction, quality and attitude."""
    csat, deduction = card.get("csat_rate"), card.get("qa_deduction")
    return weighted(
        ("0.4", None if csat is None else csat * 100),
        ("0.4", None if deduction is None else max(ZERO, 100 - deduction)),
        ("0.2", card.get("attitude_score")),
    )


def standard(book: Book, who: str) -> Lines:
    """客服薪资架构方案 (five parts)"""
    card = book.cards[who]
    return {
        "base_pay": times("3500", card.share_of_month),
        "performance_bonus": times("1000", card.scores.get("score"), "0.01"),
        "overtime_pay": overtime_pay(card, 3500),
        "commission": max(ZERO, card.values["net_sales"] * Fraction("0.01")),
        "transport_subsidy": times("300", card.share_of_month),
        "meal_subsidy": times("300", card.share_of_month),
    }


def kpi_score(card: Card) -> Fraction | None:
    """呼叫中心客服专员薪资体系方案: for everyone with a post, on any plan."""
    if card.person.post is None:
        return None
    csat, deduction = card.get("csat_rate"), card.get("qa_deduction")
    return weighted(
        ("0.5", None if csat is None else csat * 100),
        ("0.3", None if deduction is None else max(ZERO, 100 - deduction)),
        ("0.2", volume_against_mean(card)),
    )


def call_center(book: Book, who: str) -> Lines:
    """呼叫中心客服专员薪资体系方案"""
    card = book.cards[who]
    lines: Lines = {
        "base_pay": times("3200", card.share_of_month),
        "rank_bonus": None,
        "management_bonus": ZERO,
        "meal_subsidy": times("15", card.get("worked_days")),
        "seniority_subsidy": min(Fraction(500), 50 * full_years(card)),
        "overtime_pay": overtime_pay(card, 3200),
    }
    score = card.scores.get("kpi_score")
    if score is not None:
        same_post = [each for each in book.members("call_center").values() if each.person.post == card.person.post]
        rank = 1 + sum(each.scores.get("kpi_score", ZERO) > score for each in same_post)
        bonus = 500 if rank == 1 else 300 if rank <= 3 else 100 if rank <= 10 else 0
        lines["rank_bonus"] = Fraction(bonus)
    if card.person.grade in ("lead", "supervisor", "manager"):
        team = mean(book.cards[of].scores["kpi_score"] for of in reports(book, who) if _has_kpi_score(book, of))
        if team is None:
            lines["management_bonus"] = None
        else:
            team = exact(team)
            lines["management_bonus"] = Fraction(800 if team >= 90 else 500 if team >= 80 else 0)
    return lines


def _has_kpi_score(book: Book, who: str) -> bool:
    return who in book.cards and "kpi_score" in book.cards[who].scores


def reports(book: Book, lead: str) -> set[str]:
    """Everyone of the roster who reports to somebody, directly or through others; never himself."""
    found: set[str] = set()
    grew = True
    while grew:
        above = {lead} | found
        more = {who for who, person in book.roster.items() if person.lead_id in above} - {lead}
        grew = not more <= found
        found |= more
    return found


def service_rating(score: Fraction) -> str:
    """客服薪酬方案: excellent, good, pass, fail."""
    if score >= 90:
        return "excellent"
    if score >= 80:
        return "good"
    return "pass" if score >= 60 else "fail"


POST_WAGE = {"trial": "500", "junior": "800", "intermediate": "1200", "senior": "1800", "principal": "2400"}


def rated(book: Book, who: str) -> Lines:
    """客服薪酬方案"""
    card = book.cards[who]
    wage = by_grade(POST_WAGE, card.person.grade)
    score = card.scores.get("score")
    lines: Lines = {
        "base_pay": times("2500", card.share_of_month),
        "post_wage": times(wage, card.share_of_month),
        "performance_wage": None,
        "full_attendance_bonus": times("200", card.get("full_attendance")),
        "excellent_employee_award": None,
        "team_award": None,
    }
    members = book.members("rated")
    if score is not None:
        factor = {"excellent": "1.2", "good": "1.0", "pass": "0.8", "fail": "0"}[service_rating(score)]
        lines["performance_wage"] = times(wage, factor)
        if card.person.post is not None:
            best = max(
                each.scores["score"]
                for each in members.values()
                if each.person.post == card.person.post and "score" in each.scores
            )
            lines["excellent_employee_award"] = Fraction(300 if score == best else 0)
    means = {}
    for team in {each.person.team for each in members.values()}:
        of_team = mean(
            each.scores["score"] for each in members.values() if each.person.team == team and "score" in each.scores
        )
        if of_team is not None:
            means[team] = exact(of_team)
    if card.person.team in means:
        lines["team_award"] = Fraction(200 if means[card.person.team] == max(means.values()) else 0)
    return lines


def composite(card: Card) -> Fraction | None:
    """客服薪酬制度规划: by himself, by his peers, by his manager."""
    return weighted(
        ("0.2", card.get("self_score")), ("0.3", card.get("peer_score")), ("0.5", card.get("manager_score"))
    )


def framework(book: Book, who: str) -> Lines:
    """客服薪酬制度规划"""
    card = book.cards[who]
    base = layered_base(card)
    exam = card.get("exam_score")
    return {
        "base_pay": times(base, card.share_of_month),
        "post_allowance": Fraction(200),
        "skill_allowance": None if exam is None else Fraction(200 if exam >= 80 else 0),
        "performance_pay": times(base, "0.30", appraisal_factor(card.scores.get("composite"))),
    }


PRESALES_BASE = {"junior": "3000", "intermediate": "3500", "senior": "4000"}


def presales_points(value: Fraction | None, steps: tuple[tuple[str, int], ...], at_most: bool = False) -> Fraction:
    """The points of the first step that a value keeps; an absent value scores 0."""
    if value is None:
        return ZERO
    for limit, points in steps:
        if value <= Fraction(limit) if at_most else value >= Fraction(limit):
            return Fraction(points)
    return ZERO


def presales_kpi_of(card: Card) -> Fraction:
    """电商售前客服专员薪资绩效考核体系表: 70% sales reception, 30% after-sales quality."""
    class_c = card.values["qa_class_c"]
    if class_c > 4:
        return ZERO
    response = presales_points(card.get("first_response_seconds"), (("30", 100), ("60", 80), ("90", 60)), at_most=True)
    rate = presales_points(card.get("response_rate"), (("0.98", 100), ("0.95", 80), ("0.90", 60)))
    sales = presales_points(card.get("sales_completion"), (("1", 100), ("0.8", 80), ("0.6", 60)))
    csat = presales_points(card.get("csat_rate"), (("0.95", 100), ("0.90", 80), ("0.80", 60)))
    quality = presales_points(class_c, (("0", 100), ("2", 80), ("4", 60)), at_most=True)
    reception = Fraction("0.4") * response + Fraction("0.3") * rate + Fraction("0.3") * sales
    return Fraction("0.7") * reception + Fraction("0.3") * (Fraction("0.5") * csat + Fraction("0.5") * quality)


PRESALES_LEVELS = ("below", "junior", "intermediate", "senior", "gold", "reserve")


def presales_level(kpi: Fraction) -> str:
    """电商售前客服专员薪资绩效考核体系表: 储干, 金牌, 高级, 中级, 初级, below."""
    return PRESALES_LEVELS[sum(kpi >= least for least in (60, 70, 80, 90, 95))]


def presales_kpi(book: Book, who: str) -> Lines:
    """电商售前客服专员薪资绩效考核体系表"""
    card = book.cards[who]
    return {
        "base_pay": times(by_grade(PRESALES_BASE, card.person.grade), card.share_of_month),
        "kpi_pay": times("1000", card.scores["kpi"], "0.01"),
        "commission": max(ZERO, card.values["net_sales"] * Fraction("0.005")),
    }
