"""What a plan file may say, as pydantic models: the grammar of `csperf/policy/plans/*.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from csperf.policy.figures import ATTRIBUTES as ATTRIBUTES
from csperf.policy.figures import NUMBERS as NUMBERS
from csperf.policy.figures import OTHER as OTHER
from csperf.policy.figures import STRICT, Name
from csperf.policy.figures import Band as Band
from csperf.policy.figures import Figure as Figure
from csperf.policy.figures import Labels as Labels
from csperf.policy.figures import as_list as _as_list


class Strict(BaseModel):
    """A model that refuses keys it does not know."""

    model_config = STRICT


class Level(Strict):
    """The name of one number of a level measure (a rating, say)."""

    code: Name = Field(description="The level's code, as it stands in the scorecard")
    zh: str = Field(description="The Chinese term")
    en: str = Field(description="The English term")


class Measure(Strict):
    """A derived measure: one formula per employee and period, rounded half up to 6 places.

    `everyone` is evaluated for every active employee, whatever the plan; otherwise for the plan's members. A measure of
    the unit `listed` puts the employee on the quarter's list of its name where it is 1 (an honour, an eligibility).
    """

    formula: str = Field(description="How the measure is reckoned; absent where the formula is absent")
    labels: Labels = Field(description="What people read beside the code")
    unit: Literal["ratio", "points", "score", "share", "count", "money", "level", "flag", "days", "rank", "listed"] = (
        Field(
            "points",
            description="What the number is; level: a whole number with a name each in `levels`; flag: 0 or 1; listed: "
            "puts the employee on the quarter's list of this name where it is 1",
        )
    )
    period: Annotated[tuple[Literal["month", "quarter", "year"], ...], BeforeValidator(_as_list)] = Field(
        ("month",), description="Whose measure it is: of each month, quarter, year, or a list of these"
    )
    everyone: bool = Field(
        False, description="true: for every active employee, whatever the plan; else for the plan's members"
    )
    levels: dict[int, Level] = Field({}, description="The name of each number of a level measure")


class Component(Strict):
    """A pay component: one line per employee and pay month. `base`, `rate` and `quantity` are shown beside it."""

    formula: str = Field(description="The amount in CNY, rounded half up to 0.01; no line where it is absent")
    labels: Labels = Field(description="What people read beside the code")
    group: Literal["pay", "contribution"] = Field(
        "pay", description="pay: part of gross pay; contribution: social insurance and the like, outside gross pay"
    )
    frequency: Literal["month", "quarter", "year"] = Field(
        "month", description="month: each month; quarter: in the quarter's last month; year: in December"
    )
    base: str | None = Field(None, description="A formula shown beside the line: the amount it is reckoned on")
    rate: str | None = Field(None, description="A formula shown beside the line: the rate or price")
    quantity: str | None = Field(None, description="A formula shown beside the line: how many")
    least: str | None = Field(
        None,
        description="A formula of numbers and figures alone: the least that a line can be, of a table its smallest "
        "number; below it the month is not published. Without it, what the formula can give counts",
    )
    most: str | None = Field(
        None,
        description="A formula of numbers and figures alone: the most that a line can be, of a table its greatest "
        "number; above it the month is not published. Without it, what the formula can give counts",
    )


class Condition(Strict):
    """One thing a tier rule asks for: a value, compared with a threshold. An absent value is not met."""

    name: Name
    value: str
    operator: Literal[">=", ">", "<=", "<", "="]
    threshold: str
    labels: Labels


class Contest(Strict):
    """A limited number of places: of those who meet a rule's conditions, the best `by` a formula take them.

    `places` names the figure that says how many there are for each group of equal attributes `within`. A tie goes to
    the earlier hire date, then to the smaller employee id.
    """

    places: Name
    within: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    by: str
    labels: Labels


class Rule(Strict):
    """A tier rule: it decides when all its conditions are met.

    A promotion goes `levels` grades up the employee's track; where there is no such grade the rule does not apply. A
    demotion goes one down; where there is none, `lowest` decides instead. `grades` are those it is for (none named:
    all). `notice` names the figure with the working days of public notice (公示期) after which it takes effect.
    `base_raise` and `leave_days` name figures that it grants: a share of the base and days of leave a year.
    """

    decision: Literal["promote", "demote", "hold", "dismiss_review"]
    conditions: tuple[Condition, ...] = ()
    contest: Contest | None = None
    grades: Annotated[tuple[str, ...], BeforeValidator(_as_list)] = ()
    levels: Annotated[int, Field(ge=1)] = 1
    lowest: Literal["hold", "dismiss_review"] = "hold"
    notice: Name | None = None
    base_raise: Name | None = None
    leave_days: Name | None = None
    reason: Labels


@dataclass(frozen=True)
class Move:
    """What a rule does to a grade that it is for: its decision there and the grade that follows."""

    decision: str
    grade_after: str


class Tiers(Strict):
    """Who moves a grade up or down at a quarter's end: one ladder or several tracks, each from low to high, and the
    rules in the order in which they are tried."""

    ladder: tuple[str, ...] = ()
    tracks: dict[Name, tuple[str, ...]] = {}
    rules: tuple[Rule, ...]

    @model_validator(mode="after")
    def _known_grades(self) -> Tiers:
        if bool(self.ladder) == bool(self.tracks):
            raise ValueError("give either a ladder (one row of grades) or tracks (several)")
        grades = [grade for track in self.all_tracks().values() for grade in track]
        for grade in grades:
            if grade not in ATTRIBUTES["grade"]:
                raise ValueError(f"'{grade}' is no grade; the codes are {', '.join(ATTRIBUTES['grade'])}")
            if grades.count(grade) > 1:
                raise ValueError(f"grade '{grade}' stands twice")
        for number, rule in enumerate(self.rules):
            unknown = [grade for grade in rule.grades if grade not in grades]
            if unknown:
                raise ValueError(f"rule {number + 1} is for grade '{unknown[0]}', which is on no track")
            if rule.levels > 1 and rule.decision != "promote":
                raise ValueError(f"rule {number + 1}: only a promotion may go several levels")
        return self

    def all_tracks(self) -> dict[str, tuple[str, ...]]:
        """The tracks by name; a single ladder is one without a name."""
        return self.tracks or {"": self.ladder}

    def moves(self, number: int) -> dict[str, Move]:
        """What the rule of that number does, by each grade that it is for."""
        rule = self.rules[number]
        found = {}
        for track in self.all_tracks().values():
            for place, grade in enumerate(track):
                if rule.grades and grade not in rule.grades:
                    continue
                if rule.decision == "promote" and place + rule.levels < len(track):
                    found[grade] = Move("promote", track[place + rule.levels])
                elif rule.decision == "demote":
                    found[grade] = Move("demote", track[place - 1]) if place else Move(rule.lowest, grade)
                elif rule.decision in ("hold", "dismiss_review"):
                    found[grade] = Move(rule.decision, grade)
        return found


class Review(Strict):
    """The yearly salary review (薪资调整): the share by which the base is proposed to rise, in December."""

    raise_share: str
    labels: Labels


class Scorecard(Strict):
    """Which derived measures stand in the scorecard's common columns.

    `director_below` is the level of the rating below which a month goes on the director's list.
    """

    score: str | None = Field(
        default=None, description="The measure that is the month's score; ranked within plan and post"
    )
    rating: str | None = Field(default=None, description="The level measure that is the month's rating")
    director_below: str | None = Field(
        default=None, description="Code of a level of the rating; whoever is below it goes on the director's list"
    )


class Sampling(Strict):
    """How many interactions per agent and business date are drawn for review."""

    figure: str = Field(description="The figure that says how many")


class Part(Strict):
    """What plan versions and the versions of shared parts have in common."""

    effective_from: date
    figures: dict[Name, Figure] = {}
    terms: dict[Name, str] = {}
    measures: dict[Name, Measure] = {}
    components: dict[Name, Component] = {}
    tiers: Tiers | None = None
    review: Review | None = None


class Version(Part):
    """A plan as in force from a date on, until the next version's date.

    `uses` names shared parts, or other plans, whose figures, measures, components and tiers it takes where it says
    nothing of its own. `base` is the unprorated monthly base that raises are reckoned on.
    """

    uses: tuple[Name, ...] = ()
    base: str | None = None
    scorecard: Scorecard = Scorecard()
    sampling: Sampling | None = None


class SharedPart(Strict):
    """A file of what several plans use: figures, measures, components or a ladder.

    A measure that is for everyone is reckoned whether a plan uses the part or not.
    """

    shared: Name = Field(description="The part's code, which plans name in `uses`")
    labels: Labels = Field(description="What people call the part")
    source: str = Field(description="Title of the scheme in the seed document, or where the part comes from")
    versions: Annotated[tuple[Part, ...], Field(min_length=1)] = Field(
        description="The part from a date on; the newest at or before a day is in force"
    )


class Plan(Strict):
    """A plan file."""

    plan: Name = Field(description="The plan's code, as it stands in the roster's column `plan`")
    labels: Labels = Field(description="What people call the plan")
    source: str = Field(description="Title of the scheme in the seed document, or where the plan comes from")
    default: bool = Field(
        False, description="true for the one plan that counts where none is named, as for an agent on no roster"
    )
    pay_date: Literal["next_month_25", "same_month_25", "last_working_day"] = Field(
        "next_month_25",
        description="When the month is paid: the 25th of the next or the same month, or its last working day",
    )
    negative_pay: bool = Field(False, description="true where a month's gross pay may be below zero")
    versions: Annotated[tuple[Version, ...], Field(min_length=1)] = Field(
        description="The plan from a date on; the newest at or before a month's last day computes that month"
    )
