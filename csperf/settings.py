"""Settings: environment variables with the prefix `CSPERF_`, and the places that follow from them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from csperf.errors import UsageError

PROJECT_ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Everything a run can be told from outside. Paths are absolute once read."""

    model_config = SettingsConfigDict(
        env_prefix="CSPERF_", env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    home: Path = Field(Path("var"), description="Where landing, warehouse, extracts and reports are kept")
    source: str | None = Field(
        None, repr=False, description="Landing directory, database URL, mapping file or mapping name"
    )
    source_timeout: int = Field(600, ge=1, description="Seconds a source database may take for one batch of rows")
    source_root: Path | None = Field(None, description="Directory that a mapping's file names start from")
    timezone: str = Field("Asia/Shanghai", description="Business time zone: an event's date is its date there")
    encoding: Literal["utf-8", "gb18030"] = Field("utf-8", description="Encoding of delivered CSV files")
    policy_dir: Path | None = Field(None, description="Folder with the company's own plans, beside the shipped ones")
    shipped_plans: bool = Field(True, description="Whether the shipped plans count; without them policy_dir is all")
    lookback_days: int = Field(3, ge=0, le=60, description="Days before the run's first date read again for late rows")
    quarantine_limit: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of quarantined rows above which a date is refused; goes before a suite's own",
    )
    approver: str | None = Field(None, description="Who approves unattended runs; empty: a person answers in Airflow")
    preparer: str = Field("csperf", description="Who prepares drafts; the approver must be someone else")
    approvers: str | None = Field(
        None, description="Who alone may approve: names as they log in, commas between; NAME:ID with Airflow's user id"
    )
    approver_on_list: bool = Field(False, description="Whether an approver may be paid or graded by what he approves")
    total_limit: float = Field(
        0.5,
        gt=0,
        description="Share by which what a month pays of monthly components may differ from the month before's",
    )
    head_count_limit: float = Field(
        0.3, gt=0, description="Share by which a month's head count may differ from the month before's"
    )
    change_shown: float = Field(
        0.2, gt=0, description="Share of change in a person's gross from which the approver is told of it"
    )
    serving_url: str | None = Field(
        None, repr=False, description="PostgreSQL URL to serve the tables from, besides the BI copy"
    )
    notify: SecretStr | None = Field(
        None, description="Who is told of what: [who=]URL for each target, or airflow:CONN_ID; see csperf.notify"
    )
    notify_language: Literal["en", "zh"] = Field("en", description="Language of notifications")
    notify_quarantine: float = Field(
        0.05, gt=0, le=1, description="Share of quarantined rows of an accepted date above which it is told of"
    )
    due: str = Field(
        "02:00",
        description="When deliveries are due, the day after: [DATASET=][3d ]HH:MM or DATASET=never, commas between",
    )
    night_hours: float = Field(4, gt=0, description="Hours in Airflow after which a night that is not done is told of")
    extract_language: Literal["codes", "zh", "en", "both"] = Field(
        "codes", description="What heads the columns of an extract: their codes, Chinese, English or both languages"
    )
    extract_names: bool = Field(True, description="Whether extracts name the employees; without, their numbers alone")
    extract_layout: Path | None = Field(None, description="YAML file with the payroll system's own columns")
    asked_by: str | None = Field(None, description="Who looks pay up; empty: asked for on a terminal")
    memory_limit: str = Field("1200MB", description="Memory DuckDB may take in one process")
    threads: int = Field(2, ge=1, description="Threads DuckDB may use in one process")

    @field_validator("home", "source_root", "policy_dir", "extract_layout")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().resolve() if value is not None else None

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"'{value}' is not a known time zone") from None
        return value

    @field_validator("notify")
    @classmethod
    def _known_targets(cls, value: SecretStr | None) -> SecretStr | None:
        from csperf.notify.targets import check

        if value is not None:
            check(value.get_secret_value())
        return value

    @field_validator("due")
    @classmethod
    def _known_dues(cls, value: str) -> str:
        from csperf.overdue import parse_due

        parse_due(value)
        return value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def landing_dir(self) -> Path:
        return self.home / "landing"

    @property
    def warehouse_path(self) -> Path:
        return self.home / "warehouse" / "csperf.duckdb"

    @property
    def spill_dir(self) -> Path:
        """Where a connection puts what its memory cannot hold, pay included: not where a command was started."""
        return self.warehouse_path.with_name("spill")

    @property
    def serving_path(self) -> Path:
        return self.home / "serving" / "csperf_bi.duckdb"

    @property
    def payroll_dir(self) -> Path:
        return self.home / "payroll"

    @property
    def tiers_dir(self) -> Path:
        return self.home / "tiers"

    @property
    def policies_dir(self) -> Path:
        return self.home / "policies"

    @property
    def quality_dir(self) -> Path:
        return self.home / "quality"

    @property
    def samples_dir(self) -> Path:
        return self.home / "samples"

    @property
    def notify_dir(self) -> Path:
        return self.home / "notify"

    @property
    def reports_dir(self) -> Path:
        return self.home / "reports"

    @property
    def work_dir(self) -> Path:
        """Scratch space on the same file system as the records, so that a rename is atomic."""
        return self.home / "work"

    @property
    def lock_path(self) -> Path:
        return self.home / ".lock"


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment, with what the command line says on top.

    `overrides` that are None are left out. A bad value is a UsageError that names the variable.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "CSPERF_" + str(first["loc"][0]).upper() if first["loc"] else "CSPERF_"
        raise UsageError(f"Setting {name} is wrong: {first['msg']}.") from None
