"""What holds for every plan, whatever the measures: sums, bands, monotone measures, absent factors, order."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csperf.policy.library import load_plans
from csperf.policy.models import Band, Figure
from csperf.settings import load_settings
from tests.plan_evaluator import DECEMBER, Evaluator
from tests.plan_rows import wide_row

pytestmark = pytest.mark.xdist_group("plan_properties")  # one build serves all of them

KINDS = ("month", "quarter", "year")
# Measures that only ever help, or only ever harm, with the values that are worth trying: edges of bands among them.
HELPS = {
    "sales_completion": ("-0.5", "0", "0.6", "0.799999", "0.8", "0.9", "1", "1.000001", "1.2", "1.5", "3"),
    "csat_rate": ("0", "0.8", "0.9", "0.949999", "0.95", "1"),
    "manager_score": ("0", "59.999999", "60", "80", "89.999999", "90", "100"),
    "self_score": ("0", "75", "100"),
    "peer_score": ("0", "75", "100"),
    "attitude_score": ("0", "60", "100"),
    "teamwork_score": ("0", "50", "100"),
    "response_rate": ("0", "0.9", "0.95", "0.98", "1"),
    "exam_score": ("0", "79.999999", "80", "100"),
    "net_sales": ("-500.55", "0", "10000", "10000.01", "50000", "200000.01"),
    "volume": ("0", "99", "100", "101", "250"),
    "tickets": ("0", "10", "40"),
    "execution_points": ("0", "7.5", "300"),
    "excellent_case_points": ("0", "20", "130"),
    "night_shifts": ("0", "3"),
    "overtime_hours_workday": ("0", "2.5", "10"),
    "overtime_hours_holiday": ("0", "8"),
    "referrals": ("0", "2"),
    "full_attendance": ("0", "1"),
}
HARMS = {
    "qa_deduction": ("0", "20", "20.000001", "30", "50", "70", "150"),
    "qa_class_c": ("0", "1", "2", "4", "5"),
    "complaint_rate": ("0", "0.05", "1.5"),
    "first_response_seconds": ("0", "30", "60", "90.000001"),
    "error_tickets": ("0", "1", "10"),
}
MAY_BE_ABSENT = (
    *("sales_completion", "csat_rate", "manager_score", "self_score", "peer_score", "attitude_score"),
    *("teamwork_score", "response_rate", "exam_score", "complaint_rate", "first_response_seconds"),
)
GIVEN = {"volume_post_mean": Decimal(100), "worked_days": 20, "paid_days": 21}


def values(name: str, choices: tuple[str, ...]) -> st.SearchStrategy:
    numbers = st.sampled_from([Decimal(choice) for choice in choices])
    return st.none() | numbers if name in MAY_BE_ABSENT else numbers


people = st.fixed_dictionaries({name: values(name, choices) for name, choices in {**HELPS, **HARMS}.items()})
attributes = st.fixed_dictionaries(
    {
        "grade": st.sampled_from(["junior", "intermediate", "senior"]),
        "post": st.sampled_from(["basic", "vip", "voice"]),
        "education": st.sampled_from(["high_school", "college", "bachelor", "master"]),
    }
)
few = settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory):
    made = Evaluator(load_settings(home=tmp_path_factory.mktemp("plans")))
    yield made
    made.close()


def rows_of(plan: str, employee_id: str, who: dict, measures: dict) -> list[dict]:
    return [wide_row(plan, employee_id, kind, DECEMBER, who, GIVEN | measures) for kind in KINDS]


@few
@given(attributes, people, st.integers(0, 2**16))
def test_better_is_never_paid_less(evaluator, who, measures, seed):
    """Raising a measure that helps, or lowering one that harms, lowers no line of any plan."""
    chosen = random.Random(seed).sample([*HELPS, *HARMS], 6)
    rows, twins = [], []
    for plan in evaluator.plans:
        rows += rows_of(plan, f"{plan}/own", who, measures)
        for name in chosen:
            if measures[name] is None:
                continue
            choices = sorted(Decimal(choice) for choice in (HELPS.get(name) or HARMS[name]))
            better = max(choices) if name in HELPS else min(choices)
            rows += rows_of(plan, f"{plan}/{name}", who, {**measures, name: better})
            twins.append((plan, name))
    lines = evaluator.evaluate(rows)
    for plan, name in twins:
        for (employee_id, component), amount in lines.items():
            if employee_id == f"{plan}/own":
                better_amount = lines.get((f"{plan}/{name}", component))
                assert better_amount is not None and better_amount >= amount, (plan, name, component, measures)


@few
@given(attributes, st.lists(people, min_size=2, max_size=3), st.integers(0, 2**16))
def test_lines_are_cents_that_sum_up_and_no_order_changes_one(evaluator, who, everyone, seed):
    """Contributions stand on the sum of the rounded pay lines; shuffled rows, other names: the same cents."""
    rows = [
        row
        for plan in evaluator.plans
        for number, measures in enumerate(everyone)
        for row in rows_of(plan, f"{plan}/{number}", who, measures)
    ]
    lines = evaluator.evaluate(rows)
    assert all(amount == amount.quantize(Decimal("0.01")) for amount in lines.values())
    found = evaluator.con.execute(
        "select employee_id, component_group, amount, base_amount, component from payroll.computed_lines"
    ).fetchall()
    gross: dict[str, Decimal] = defaultdict(Decimal)
    for employee_id, group, amount, _, _ in found:
        gross[employee_id] += amount if group == "pay" else 0
    contributions = [row for row in found if row[1] == "contribution" and row[3] is not None]
    for employee_id, _, _, base, component in contributions:
        assert base == min(max(gross[employee_id], Decimal(4000)), Decimal(35000)), (employee_id, component)
    assert contributions
    order = random.Random(seed)
    renamed = [row | {"employee_id": row["employee_id"][::-1]} for row in rows]
    order.shuffle(renamed)
    again = evaluator.evaluate(renamed)
    assert {(employee_id[::-1], component): amount for (employee_id, component), amount in again.items()} == lines


def half_up(value: Fraction) -> Decimal:
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal("0.000001"), ROUND_HALF_UP)


def weighted(parts: list[tuple[str, Fraction | None]]) -> Decimal | None:
    """The weighted mean of what is there, its weights scaled up; None with nothing there."""
    there = [(Fraction(weight), value) for weight, value in parts if value is not None]
    total = sum(weight for weight, _ in there)
    return half_up(sum(weight * value for weight, value in there) / total) if there else None


def part(value: Decimal | None, factor: int = 1) -> Fraction | None:
    return None if value is None else Fraction(value) * factor


@few
@given(people)
def test_an_absent_factor_follows_the_plans_rule(evaluator, measures):
    """Scaled-up scores leave out what is absent; a score of nothing is absent, and so is what is paid on it."""
    rows = [row for plan in evaluator.plans for row in rows_of(plan, plan, {}, measures)]
    lines = evaluator.evaluate(rows)
    stored = evaluator.con.execute(
        "select employee_id, measure, value from measures.derived_measures where period_kind = 'month'"
    ).fetchall()
    derived = {(employee_id, measure): value for employee_id, measure, value in stored}
    qa = max(Fraction(0), 100 - Fraction(measures["qa_deduction"]))
    csat = part(measures["csat_rate"], 100)
    volume = min(Fraction(100), Fraction(measures["volume"]))  # the mean of the post is 100
    kpi = weighted([("0.5", csat), ("0.3", qa), ("0.2", volume)])
    rated = weighted([("0.4", csat), ("0.4", qa), ("0.2", part(measures["attitude_score"]))])
    composite = weighted(
        [
            (weight, part(measures[f"{kind}_score"]))
            for weight, kind in (("0.2", "self"), ("0.3", "peer"), ("0.5", "manager"))
        ]
    )
    month = weighted([("0.5", volume), ("0.5", csat)])
    for plan in evaluator.plans:
        assert derived.get((plan, "kpi_score")) == kpi
        assert derived.get((plan, "composite")) == composite
    assert derived[("rated", "score")] == rated
    assert derived[("layered", "month_score")] == month
    assert (("framework", "performance_pay") in lines) == (composite is not None)
    assert (("sales_rating", "performance_pay") in lines) == (measures["sales_completion"] is not None)
    # Presales scores an absent measure 0, sales by grade leaves its term out: both have a line whatever is absent.
    assert ("presales_kpi", "kpi_pay") in lines and ("sales_grade", "performance_pay") in lines


# ---- bands ----------------------------------------------------------------------------------------------------------


def holds(band: Band, value: Decimal) -> bool:
    above = band.low is None or value > band.low or (band.low_closed and value == band.low)
    below = band.high is None or value < band.high or (band.high_closed and value == band.high)
    return above and below


def in_order(bands: list[Band]) -> tuple[Band, ...]:
    """The bands as a plan's scale has them, written in this order."""

    def interval(band: Band) -> str:
        low, high = ("-inf" if band.low is None else band.low), ("inf" if band.high is None else band.high)
        return f"{'[' if band.low_closed else '('}{low}, {high}{']' if band.high_closed else ')'}"

    figure = Figure(bands={interval(band): band.value for band in bands}, provenance="seed")
    ((_, ordered),) = figure.cells()
    return ordered


edges = st.lists(st.integers(-50, 50), min_size=1, max_size=5, unique=True).map(sorted)


@given(edges, st.lists(st.booleans(), min_size=5, max_size=5), st.decimals(-60, 60, places=2))
def test_bands_that_are_accepted_hold_each_number_once(limits, closed_below, value):
    ends = [None, *map(Decimal, limits), None]
    closed = [False, *closed_below[: len(limits)], False]
    bands = [
        Band(low=low, low_closed=closed[n], high=high, high_closed=not closed[n + 1] and high is not None, value=n)
        for n, (low, high) in enumerate(itertools.pairwise(ends))
    ]
    ordered = in_order(random.Random(1).sample(bands, len(bands)))
    assert sum(holds(band, value) for band in ordered) == 1


@given(edges.filter(lambda limits: len(limits) > 1), st.integers(0, 3), st.sampled_from(["gap", "overlap"]))
def test_bands_with_a_gap_or_an_overlap_are_refused(limits, where, fault):
    ends = [None, *map(Decimal, limits), None]
    bands = [
        Band(low=low, low_closed=low is not None, high=high, high_closed=False, value=n)
        for n, (low, high) in enumerate(itertools.pairwise(ends))
    ]
    place = where % (len(bands) - 1)
    moved = bands[place].high + (Decimal("-0.25") if fault == "gap" else Decimal("0.25"))
    bands[place] = bands[place].model_copy(update={"high": moved})
    with pytest.raises(ValueError, match=fault):
        in_order(bands)


def scales() -> list:
    """Every scale of bands in the library: figure and its cells."""
    found = []
    library = load_plans(load_settings())
    for code, loaded in library.items():
        for version in loaded.versions:
            for name, figure in version.figures.items():
                if figure.bands is not None:
                    found.append(pytest.param(figure, id=f"{code}: {name}"))
    return found


@pytest.mark.parametrize("figure", scales())
def test_each_scale_of_the_library_is_total_and_exclusive_between_its_ends(figure: Figure):
    for _, bands in figure.cells():
        edges = sorted({end for band in bands for end in (band.low, band.high) if end is not None})
        tried = [*edges, *(edge + step for edge in edges for step in (Decimal("-0.000001"), Decimal("0.000001")))]
        for value in tried:
            inside = (bands[0].low is None or holds(bands[0], value) or value > bands[0].low) and (
                bands[-1].high is None or holds(bands[-1], value) or value < bands[-1].high
            )
            assert sum(holds(band, value) for band in bands) == int(inside), (value, bands)
