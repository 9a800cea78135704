"""The figures of the made-up company, read from a YAML profile."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from csperf.errors import UsageError

DEFAULT_PROFILE = Path(__file__).with_name("profile.yaml")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


PostCode = Literal["basic", "vip", "voice"]
AssessmentKind = Literal["exam", "self", "peer", "manager", "teamwork", "attitude"]
EventKind = Literal["serious_violation", "conflict", "training_completed", "honor", "referral_hired"]


class Post(_Part):
    share: float = Field(ge=0, le=1)
    contacts: float = Field(ge=0)
    prefix: str


class GradeShare(_Part):
    share: float = Field(ge=0, le=1)
    skill: float
    sales: float = Field(gt=0)


class SalesGoal(_Part):
    """What a junior on a plan is to sell: CNY a month, orders on a day of work, and whether a target is set for it."""

    target: float = Field(gt=0)
    orders: float = Field(gt=0)
    set: bool = True


class PlanRule(_Part):
    """Who may be on a plan, and what the plan wants to know of him."""

    share: float = Field(ge=0, le=1)
    posts: tuple[PostCode, ...] = ("basic", "vip", "voice")
    employment: Literal["full_time", "part_time"] = "full_time"
    leads: float = Field(default=0, ge=0, le=1)
    sales: SalesGoal | None = None
    salary: tuple[str, str] | None = None


class Salaries(_Part):
    empty: float = Field(ge=0, le=1)
    outside: int = Field(ge=0)


class Management(_Part):
    people: int = Field(ge=10)
    teams: int = Field(ge=1)


class Trait(_Part):
    middle: float
    slope: float


class DayKind(_Part):
    share: float = Field(ge=0, le=1)
    factor: float = Field(ge=0)


class Complaints(_Part):
    per_contact: float
    upheld: float
    unresolved: float


class Sales(_Part):
    spread: float
    skill: float
    silent: float
    refunded: float
    part_refunded: float
    compensated: float
    recalled_months: float


class Score(_Part):
    middle: float
    slope: float
    spread: float


class Assessments(_Part):
    exam_months: tuple[int, ...]
    peers: int = Field(ge=0)
    missing: float
    scores: dict[AssessmentKind, Score]


class Disputes(_Part):
    share: float
    measures: dict[str, tuple[Decimal, Decimal, Decimal]]


class AttendanceShares(_Part):
    leave_weeks: float
    paid_leave: float
    unpaid_leave: float
    absent: float
    late: float
    late_people: float
    overtime: float
    restday_work: float
    night_weeks: float


class Profile(_Part):
    """Everything about the made-up company except its size, dates and seed; profile.yaml explains the fields."""

    utc_offset: str = Field(pattern=r"^[+-]\d\d:\d\d$")
    plan: str | None
    all_plans_from: int = Field(ge=1)
    other_plan: PlanRule
    plans: dict[str, PlanRule]
    salaries: Salaries
    posts: dict[PostCode, Post]
    team_size: int = Field(ge=2)
    lead_load: float
    lead_grade: str
    management: Management
    lead_skill: float
    yearly_leavers: float
    yearly_joiners: float
    yearly_transfers: float
    educations: dict[Literal["high_school", "college", "bachelor", "master"], float]
    grades: dict[str, GradeShare]
    first_response_seconds: Trait
    answer_seconds: Trait
    csat_share: Trait
    deduction_month: Trait
    deduction_month_vip: Trait
    rated_share: float
    no_reply_share: float
    abandoned_share: float
    resolved_share: float
    reviews_per_day: int = Field(ge=0)
    volume_spread: float
    volume_skill: float
    exchanges: float = Field(ge=0)
    channels: dict[str, float]
    weekdays: tuple[float, float, float, float, float, float, float]
    busy_days: DayKind
    quiet_days: DayKind
    attendance: AttendanceShares
    tickets_per_day: float
    ticket_errors: float
    complaints: Complaints
    sales: Sales
    assessments: Assessments
    events: dict[EventKind, float]
    referred_joiners: float = Field(ge=0, le=1)
    disputes: Disputes
    promotion_cases: float
    dirty_share: float = Field(ge=0, le=1)
    deductions: list[tuple[str, Literal["A", "B", "C"], int, float]]
    ticket_kinds: list[str]
    cities: list[str]
    surnames: list[str]
    given: list[str]
    phrases: dict[Literal["customer", "agent", "bot", "system"], list[str]]

    @property
    def offset_minutes(self) -> int:
        """Minutes that local time is ahead of UTC."""
        sign = -1 if self.utc_offset[0] == "-" else 1
        return sign * (int(self.utc_offset[1:3]) * 60 + int(self.utc_offset[4:6]))


def load_profile(path: Path | None = None, **changes: object) -> Profile:
    """The profile in `path` (the shipped one if None) with single fields changed; a UsageError names a wrong field."""
    path = path or DEFAULT_PROFILE
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Profile.model_validate({**content, **changes})
    except OSError as error:
        raise UsageError(f"The demo profile {path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, TypeError) as error:
        raise UsageError(f"The demo profile {path} is not valid YAML: {error}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"The demo profile {path} is wrong at {where}: {first['msg']}.") from None
