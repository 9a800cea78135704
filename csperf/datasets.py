"""The landing datasets: their columns, keys and kinds, declared once.

Extraction, checks and staging all take them from here (contract section 2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from csperf.errors import UsageError

Type = Literal["text", "integer", "decimal", "boolean", "date", "month", "timestamp"]

# What each type is in DuckDB and in the Parquet files of the landing zone. Timestamps are UTC instants.
SQL_TYPES: dict[Type, str] = {
    "text": "varchar",
    "integer": "bigint",
    "decimal": "decimal(18,6)",
    "boolean": "boolean",
    "date": "date",
    "month": "varchar",
    "timestamp": "timestamptz",
}


@dataclass(frozen=True)
class Column:
    """A column of a dataset. An `optional` one may be empty in a row; it must still be delivered."""

    name: str
    type: Type
    key: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Dataset:
    """A dataset: `daily` rows belong to one business date, a `full` delivery is the whole table as of its date.

    `date_column` is what a daily row's business date is taken from (a timestamp's local date); None for
    messages, which belong to their session's date, and for full datasets.
    """

    name: str
    kind: Literal["daily", "full"]
    columns: tuple[Column, ...]
    date_column: str | None = None
    column_names: tuple[str, ...] = field(init=False)
    key: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "column_names", tuple(column.name for column in self.columns))
        object.__setattr__(self, "key", tuple(column.name for column in self.columns if column.key))

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


def _columns(text: str) -> tuple[Column, ...]:
    """`name type` pairs, `*` behind a key's name and `?` behind one that may be empty."""
    result = []
    for part in text.split(","):
        name, type_ = part.split()
        result.append(
            Column(name.rstrip("*?"), type_, key=name.endswith("*"), optional=name.endswith("?"))  # type: ignore[arg-type]
        )
    return tuple(result)


_ALL = (
    Dataset(
        "employees",
        "full",
        _columns(
            "employee_id* text, name text, post? text, grade text, team text, lead_id? text, employment text, "
            "education text, city text, plan text, base_salary? decimal, hire_date date, grade_since date, "
            "leave_date? date"
        ),
    ),
    Dataset(
        "chat_sessions",
        "daily",
        _columns(
            "session_id* text, agent_id text, customer_id text, channel text, started_at timestamp, "
            "ended_at? timestamp, resolved boolean, csat? integer"
        ),
        "started_at",
    ),
    Dataset(
        "chat_messages",
        "daily",
        _columns("session_id* text, message_no* integer, sender text, sent_at timestamp, text? text"),
    ),
    Dataset(
        "calls",
        "daily",
        _columns(
            "call_id* text, agent_id text, customer_id text, queued_at timestamp, answered_at? timestamp, "
            "ended_at timestamp, csat? integer"
        ),
        "queued_at",
    ),
    Dataset(
        "qa_reviews",
        "daily",
        _columns(
            "review_id* text, item_no* integer, interaction_id text, agent_id text, interaction_date date, "
            "reviewer_id text, reviewed_at timestamp, item_code? text, severity? text, points decimal"
        ),
        "interaction_date",
    ),
    Dataset(
        "tickets",
        "daily",
        _columns(
            "ticket_id* text, agent_id text, created_at timestamp, closed_at? timestamp, kind text, is_error boolean"
        ),
        "created_at",
    ),
    Dataset(
        "attendance",
        "daily",
        _columns(
            "employee_id* text, date* date, scheduled_hours decimal, worked_hours decimal, status text, "
            "overtime_hours decimal, overtime_kind? text, night_shift boolean"
        ),
        "date",
    ),
    Dataset(
        "points",
        "daily",
        _columns(
            "point_id* text, employee_id text, date date, kind text, points decimal, approved_by text, note? text"
        ),
        "date",
    ),
    Dataset(
        "complaints",
        "daily",
        _columns("complaint_id* text, agent_id text, received_at timestamp, upheld boolean, resolved_at? timestamp"),
        "received_at",
    ),
    Dataset(
        "orders",
        "daily",
        _columns(
            "order_id* text, agent_id text, paid_at timestamp, amount decimal, refund_amount decimal, silent boolean"
        ),
        "paid_at",
    ),
    Dataset("targets", "full", _columns("employee_id* text, month* month, measure* text, target decimal")),
    Dataset(
        "assessments",
        "daily",
        _columns("assessment_id* text, employee_id text, date date, kind text, score decimal, assessor_id? text"),
        "date",
    ),
    Dataset(
        "hr_events", "daily", _columns("event_id* text, employee_id text, date date, kind text, note? text"), "date"
    ),
    Dataset(
        "disputes",
        "full",
        _columns(
            "dispute_id* text, employee_id text, month month, measure text, requested_delta decimal, status text, "
            "granted_delta? decimal, ruled_by? text, ruled_at? timestamp, note? text"
        ),
    ),
    Dataset(
        "promotion_cases",
        "full",
        _columns(
            "case_id* text, employee_id text, quarter text, applied_on date, supervisor_opinion? text, "
            "panel_score? decimal, panel_decision? text, announced_on? date, objection? text, hr_decision? text, "
            "withdrawn_on? date"
        ),
    ),
)

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in _ALL}


def dataset(name: str) -> Dataset:
    """The dataset of that name; a UsageError that lists the names when there is none."""
    try:
        return DATASETS[name]
    except KeyError:
        raise UsageError(f"There is no dataset '{name}'; the datasets are {', '.join(DATASETS)}.") from None
