"""Pay of the plans that live on sales: sales_grade, sales_education, part_time, sales_rating, sales_commission.

Written from the text of the schemes alone. Amounts are exact; the caller rounds each line once.
"""

from __future__ import annotations

from fractions import Fraction

from tests.oracle.cards import ZERO, Book, Card, Lines, by_grade, times
from tests.oracle.rounding import rounded

SALES_GRADE_BASE = {"junior": "3000", "intermediate": "3500", "senior": "4000", "principal": "4500"}


def sales_grade(book: Book, who: str) -> Lines:
    """客服销售薪资方案"""
    card = book.cards[who]
    base = by_grade(SALES_GRADE_BASE, card.person.grade)
    completion, csat = card.get("sales_completion"), card.get("csat_rate")
    complaints, teamwork = card.get("complaint_rate"), card.get("teamwork_score")
    coefficient = ZERO  # the whole term of an absent factor counts 0
    if completion is not None:
        coefficient += Fraction("0.4") * max(ZERO, min(completion, Fraction("1.5")))
    if csat is not None:
        coefficient += Fraction("0.3") * csat
    if complaints is not None:
        coefficient += Fraction("0.2") * max(ZERO, 1 - complaints)
    if teamwork is not None:
        coefficient += Fraction("0.1") * teamwork / 100
    lines: Lines = {
        "base_pay": times(base, card.share_of_month),
        "performance_pay": times(base, coefficient),
        "monthly_bonus": times(base, _completion_bonus(card, "0.10", "0.20")),
    }
    if book.quarter is not None:
        lines["quarterly_bonus"] = times(base, _completion_bonus(book.quarter[who], "0.15", "0.25"))
    if book.year is not None:
        lines["annual_bonus"] = times(base, _completion_bonus(book.year[who], "0.20", "0.30"))
    return lines


def _completion_bonus(card: Card, reached: str, beaten: str) -> str | None:
    completion = card.get("sales_completion")
    if completion is None:
        return None
    if completion < Fraction("0.8"):
        return "0"
    return reached if completion <= 1 else beaten


# under one year of tenure, under two, from two on
SALES_EDUCATION_BASE = {
    "master": ("4000", "4200", "4500"),
    "bachelor": ("4000", "4200", "4500"),
    "college": ("3500", "3700", "3900"),
    "high_school": ("3000", "3200", "3300"),
}


def sales_education(book: Book, who: str) -> Lines:
    """销售客服的薪酬方案"""
    card = book.cards[who]
    years = card.values["tenure_months"] // 12
    base = SALES_EDUCATION_BASE[card.person.education][min(2, years)]
    lines: Lines = {
        "base_pay": times(base, card.share_of_month),
        "monthly_performance": times(base, "0.20", appraisal_factor(card.get("manager_score"))),
        "full_attendance_bonus": times("500", card.get("full_attendance")),
    }
    if book.quarter is not None:
        factor = appraisal_factor(book.quarter[who].get("manager_score"))
        lines["quarterly_performance"] = times(base, "0.30", factor)
    if book.year is not None:
        lines["year_end_bonus"] = times(base, appraisal_factor(book.year[who].get("manager_score")), "1.0")
    return lines


def appraisal_factor(score: Fraction | None) -> str | None:
    """What a score of 0 to 100 multiplies performance by (also of 客服薪酬制度规划)."""
    if score is None:
        return None
    if score >= 90:
        return "1.2"
    if score >= 80:
        return "1.0"
    return "0.8" if score >= 60 else "0"


def leave_entitlement_days(card: Card) -> int:
    """销售客服的薪酬方案: days of leave a year, by tenure."""
    years = card.values["tenure_months"] // 12
    if years < 1:
        return 0
    if years < 10:
        return 5
    return 10 if years < 20 else 15


def part_time(book: Book, who: str) -> Lines:
    """兼职客服薪酬制度模板"""
    card = book.cards[who]
    completion = card.get("sales_completion")
    lines: Lines = {
        "base_pay": times("150", card.get("paid_days")),
        "first_target_bonus": None,
        "over_target_bonus": None,
        "referral_bonus": times("200", card.get("referrals")),
    }
    if completion is not None:
        lines["first_target_bonus"] = Fraction(200) if completion >= 1 else ZERO
        full_tenths = (completion - 1) // Fraction("0.1") if completion > 1 else 0
        lines["over_target_bonus"] = Fraction(50 * full_tenths)
    if book.quarter is not None:
        rank = _rank_in_quarter(book, who)
        lines["quarter_rank_bonus"] = None if rank is None else Fraction(300 if rank <= 3 else 0)
    if book.year is not None:
        completion = book.year[who].get("sales_completion")
        lines["annual_bonus"] = None if completion is None else Fraction(1000 if completion >= Fraction("1.2") else 0)
    return lines


def _rank_in_quarter(book: Book, who: str) -> int | None:
    """By the quarter's net sales among the part-timers with an order; ties share the better rank."""
    assert book.quarter is not None
    sold = {of: book.quarter[of].values for of in book.members("part_time") if book.quarter[of].values["orders"]}
    if who not in sold:
        return None
    return 1 + sum(values["net_sales"] > sold[who]["net_sales"] for values in sold.values())


SALES_RATING_RANGE = {"junior": (3000, 4000), "intermediate": (4000, 5000), "senior": (5000, 6000)}
SALES_COMMISSION_RANGE = {"junior": (3000, 5000), "intermediate": (5000, 8000), "senior": (8000, 12000)}


def own_base(card: Card, ranges: dict[str, tuple[int, int]], middle: bool) -> Fraction | None:
    """The employee's own base salary inside his grade's range.

    Empty: the middle or the lower end. Below the range of a grade that we decided: raised to its lower end.
    Otherwise outside: nothing to be paid until it is mended.
    """
    lower = by_grade({grade: str(low) for grade, (low, _) in ranges.items()}, card.person.grade)
    upper = by_grade({grade: str(high) for grade, (_, high) in ranges.items()}, card.person.grade)
    if lower is None or upper is None:
        return None
    own = card.person.base_salary
    if own is None:
        return (lower + upper) / 2 if middle else lower
    if own < lower and card.decided:
        return lower
    return own if lower <= own <= upper else None


def sales_rating_word(completion: Fraction | None) -> str | None:
    """客服销售工资方案: 卓越, 优秀, 达标, 未达标."""
    if completion is None:
        return None
    if completion >= Fraction("1.5"):
        return "excellent_plus"
    if completion >= Fraction("1.2"):
        return "excellent"
    return "on_target" if completion >= 1 else "below_target"


def sales_rating(book: Book, who: str) -> Lines:
    """客服销售工资方案"""
    card = book.cards[who]
    base = own_base(card, SALES_RATING_RANGE, middle=True)
    word = sales_rating_word(card.get("sales_completion"))
    performance, monthly = None, None
    if base is not None and word is not None:
        performance = times(
            base, {"excellent_plus": "0.7", "excellent": "0.6", "on_target": "0.5", "below_target": "0"}[word]
        )
        # The bonus is a share of the performance pay as it stands on the slip.
        assert performance is not None
        monthly = times(Fraction(rounded(performance, 2)), {"excellent_plus": "0.2", "excellent": "0.1"}.get(word, "0"))
    lines: Lines = {
        "base_pay": times(base, card.share_of_month),
        "performance_pay": performance,
        "monthly_bonus": monthly,
    }
    if book.year is not None:
        word = sales_rating_word(book.year[who].get("sales_completion"))
        multiple = (
            None if word is None else {"excellent_plus": 3, "excellent": 2, "on_target": 1, "below_target": 0}[word]
        )
        lines["annual_bonus"] = times(base, multiple)
    return lines


def completion_rate(completion: Fraction | None) -> str | None:
    """销售客服薪酬方案: the share of the base that a completion earns."""
    if completion is None:
        return None
    for least, rate in (("0.9", "0.10"), ("0.8", "0.08"), ("0.7", "0.06"), ("0.6", "0.04")):
        if completion >= Fraction(least):
            return rate
    return "0"


def commission_sales(book: Book, who: str) -> Fraction:
    """Net sales of the month, and what the month before left below zero if he was on the plan then."""
    sales = book.cards[who].values["net_sales"]
    if book.before is not None and who in book.before.members("sales_commission"):
        sales += min(ZERO, commission_sales(book.before, who))
    return sales


def sales_commission(book: Book, who: str) -> Lines:
    """销售客服薪酬方案"""
    card = book.cards[who]
    base = own_base(card, SALES_COMMISSION_RANGE, middle=False)
    sales = commission_sales(book, who)
    rate = "0.06"
    for most, of_band in ((0, "0"), (10000, "0.02"), (50000, "0.03"), (100000, "0.04"), (200000, "0.05")):
        if sales <= most:
            rate = of_band
            break
    lines: Lines = {
        "base_pay": times(base, card.share_of_month),
        "monthly_bonus": times(base, completion_rate(card.get("sales_completion"))),
        "commission": times(sales, rate),
        "transport_subsidy": times("500", card.share_of_month),
        "telecom_subsidy": times("300", card.share_of_month),
        "meal_subsidy": times("300", card.share_of_month),
    }
    if book.year is not None:
        lines["annual_bonus"] = times(base, completion_rate(book.year[who].get("sales_completion")))
    return lines
