"""The yearly salary review (客服薪酬制度规划) and the raises that a promotion proposes (客服部薪酬晋升方案)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction

from tests.oracle.cards import Book, Card, by_grade
from tests.oracle.rounding import rounded
from tests.oracle.sales_plans import SALES_GRADE_BASE
from tests.oracle.service_plans import layered_base
from tests.oracle.tiers import Decision

# base before, share of the raise, base after, days of leave, from when
Proposal = tuple[Decimal | None, Decimal, Decimal | None, int | None, date]


def proposals(book: Book, begins: date) -> dict[str, Proposal]:
    """A year's proposals for the plans that are reviewed yearly: price index 2%, market 1%, and merit."""
    assert book.year is not None
    found = {}
    for who, card in book.cards.items():
        if card.person.plan not in ("framework", "sales_grade", "standard"):
            continue
        score = book.year[who].scores.get("composite")
        merit = Fraction() if score is None or score < 80 else Fraction("0.05" if score >= 90 else "0.03")
        found[who] = _proposal(_base(card), Fraction("0.03") + merit, None, begins)
    return found


def raises(cards: Mapping[str, Card], decisions: Mapping[str, Decision]) -> dict[str, Proposal]:
    """客服部薪酬晋升方案: one level 10% on the base, two levels 20% and two days of leave."""
    found = {}
    for who, decision in decisions.items():
        if decision.plan == "ladder_scored" and decision.decision == "promote":
            two = decision.levels == 2
            share = Fraction("0.2" if two else "0.1")
            base = cards[who].person.base_salary
            found[who] = _proposal(base, share, 2 if two else None, decision.effective_from)
    return found


def _base(card: Card) -> Fraction | None:
    """The plan's base; the roster's where the plan has none for the grade."""
    if card.person.plan == "standard":
        return Fraction(3500)
    base = layered_base(card) if card.person.plan == "framework" else by_grade(SALES_GRADE_BASE, card.person.grade)
    return card.person.base_salary if base is None else base


def _proposal(base: Fraction | None, share: Fraction, leave: int | None, begins: date) -> Proposal:
    if base is None:
        return (None, rounded(share, 6), None, leave, begins)
    return (rounded(base, 2), rounded(share, 6), rounded(base * (1 + share), 2), leave, begins)
