"""Mappings: a YAML file that turns somebody's own export into the landing datasets. See docs/mappings.md."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from csperf.datasets import DATASETS
from csperf.errors import UsageError

SHIPPED = Path(__file__).parent / "mappings"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Strict):
    """A rule on the rows as they came: those for which `where` is true are left out or set aside, and counted."""

    reason: str = Field(min_length=1)
    where: str = Field(min_length=1)


class MappedDataset(_Strict):
    """Where one dataset lies and the select that gives the contract's columns."""

    files: str | None = Field(None, description="File name or pattern below the source root; {date} stands for a date")
    beside: str | None = Field(None, description="File beside the mapping")
    rows: list[dict[str, Any]] | None = Field(None, description="The rows themselves")
    format: Literal["csv", "jsonl", "parquet"] | None = None
    delimiter: str = Field(",", min_length=1, max_length=1)
    encoding: str | None = None
    as_of: date | None = Field(None, description="A full dataset's delivery date")
    select: str | None = Field(None, description="The select; without one the columns are the contract's already")
    skip: list[Rule] = []
    quarantine: list[Rule] = []

    @field_validator("files", "beside")
    @classmethod
    def _below(cls, name: str | None) -> str | None:
        if name is not None and (Path(name).is_absolute() or ".." in Path(name).parts or "\0" in name):
            raise ValueError(f"'{name}' leads out of its folder; name files below it")
        return name

    @property
    def sources(self) -> list[str]:
        return [name for name in ("files", "beside", "rows") if getattr(self, name) is not None]


class Mapping(_Strict):
    """A whole mapping: of files, or of a database when `database` names one."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    database: str | None = Field(None, description="airflow:CONNECTION, env:VARIABLE or a URL without a password")
    datasets: dict[str, MappedDataset] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Mapping:
        for name, dataset in self.datasets.items():
            if name not in DATASETS:
                raise ValueError(f"there is no dataset '{name}'; the datasets are {', '.join(DATASETS)}")
            if len(dataset.sources) > 1 or (not dataset.sources and self.database is None):
                raise ValueError(f"{name} needs one of files, beside and rows, and has {dataset.sources or 'none'}")
            if not dataset.sources and not dataset.select:
                raise ValueError(f"{name} needs a select from the database")
            if dataset.as_of and DATASETS[name].kind == "daily":
                raise ValueError(f"{name} is a daily dataset: as_of is for full ones")
        if self.database and re.search(r"://[^/@]*:[^/@]*@", self.database):
            raise ValueError("database holds a password; name an Airflow connection or env:VARIABLE instead")
        return self


def shipped_mappings() -> list[str]:
    """Names of the mappings that come with csperf."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load_mapping(path: Path) -> Mapping:
    """Read and check a mapping; a UsageError that names file, key and reason."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The mapping {path} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"The mapping {path} is no YAML: {' '.join(str(error).split())}.") from None
    try:
        return Mapping.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the mapping"
        raise UsageError(
            f"The mapping {path} is wrong at {key}: {first['msg'].removeprefix('Value error, ')}."
        ) from None
