"""The suites in `expectations/`: what a delivery (`landing/`) and a month's draft (`payroll/`) must satisfy, as JSON.

A suite is a Great Expectations suite. Each expectation says in its `meta` what csperf does about it:

- `check`: its short name, unique in the suite, shown in quality results and quarantine;
- `severity`: `block` (the dataset's date is refused), `quarantine` (the bad rows are set aside) or `warn`;
- `message`: what is wrong with a row, `{column}` standing for its value (`{_kept}` for the row that stays of
  equal keys, `{_bad}` for what could not be read);
- `reason`: why the rule is there;
- `waits_for` and `column`, where a row may become good later: by an id in that column that a later delivery of
  the named dataset brings;
- `structural`, of a month's draft: nobody may override it;
- `keeps_first`, for the rule that keys are unique: of equal keys the first otherwise good row stays.

The suite's own `meta` may hold `quarantine_limit`, the share of bad rows above which this dataset's date is refused,
where that is another than the setting's default, and `tables`: queries by name, for what several rules look at. Each
is worked out once before the rules, `{batch}` standing for the rows under check there as well.

A query of an UnexpectedRowsExpectation gives `_business_date`, and `_row` where rows are to be set aside.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from csperf.datasets import Dataset
from csperf.errors import CsperfError
from csperf.settings import PROJECT_ROOT

Severity = Literal["block", "quarantine", "warn"]
SUITES_DIR = PROJECT_ROOT / "expectations" / "landing"
PAYROLL_SUITES_DIR = PROJECT_ROOT / "expectations" / "payroll"
_VALUE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Rule:
    """One expectation of a suite and what its failure means."""

    type: str
    kwargs: dict[str, Any]
    check: str
    severity: Severity
    message: str
    reason: str
    waits_for: str | None = None
    column: str | None = None
    keeps_first: bool = False
    structural: bool = False

    @property
    def told(self) -> list[str]:
        """The columns whose values the message tells."""
        return _VALUE.findall(self.message)

    @property
    def config(self) -> dict[str, Any]:
        """The expectation as Great Expectations reads it."""
        return {
            "type": self.type,
            "kwargs": dict(self.kwargs),
            "severity": {"block": "critical", "quarantine": "warning", "warn": "info"}[self.severity],
            "meta": {"check": self.check, "severity": self.severity, "reason": self.reason},
        }


@dataclass(frozen=True)
class Suite:
    """A dataset's suite, or that of a table of a month's draft; `digest` changes whenever a rule does."""

    dataset: str
    about: str
    rules: tuple[Rule, ...]
    digest: str
    path: Path
    quarantine_limit: float | None = None
    tables: Mapping[str, str] = field(default_factory=dict)

    def rule(self, check: str) -> Rule:
        """The rule of that name; a KeyError when there is none."""
        for rule in self.rules:
            if rule.check == check:
                return rule
        raise KeyError(check)


@cache
def load_suite(dataset: str, folder: Path = SUITES_DIR) -> Suite:
    """The suite of a dataset; a CsperfError naming the file when it is missing or malformed."""
    path = folder / f"{dataset}.json"
    try:
        content = json.loads(path.read_bytes())
        rules = tuple(_rule(item) for item in content["expectations"])
        about = str(content["meta"]["about"])
        limit = content["meta"].get("quarantine_limit")
        tables = {str(table): str(query) for table, query in content["meta"].get("tables", {}).items()}
        if limit is not None and not 0 < limit <= 1:
            raise ValueError(f"quarantine_limit {limit} is no share between 0 and 1")
    except FileNotFoundError:
        raise CsperfError(f"There is no suite for dataset {dataset}; write {path}.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CsperfError(f"The suite {path} is malformed ({type(error).__name__}: {error}); correct it.") from None
    names = [rule.check for rule in rules]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise CsperfError(f"The suite {path} names {', '.join(doubled)} twice; give each rule a name of its own.")
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return Suite(dataset, about, rules, hashlib.sha256(canonical.encode()).hexdigest(), path, limit, tables)


def _rule(item: dict[str, Any]) -> Rule:
    meta = dict(item["meta"])
    rule = Rule(item["type"], item["kwargs"], **meta)
    if rule.severity not in get_args(Severity):
        raise ValueError(f"severity '{rule.severity}' of {rule.check} is not block, quarantine or warn")
    if bool(rule.waits_for) != bool(rule.column):
        raise ValueError(f"{rule.check} needs both waits_for and column, or neither")
    return rule


def reason_sql(rule: Rule, dataset: Dataset, timezone: str) -> str:
    """The SQL expression that fills a rule's message with a row's values; instants show as local time."""
    parts = []
    for index, piece in enumerate(_VALUE.split(rule.message)):
        if index % 2 == 0:
            if piece:
                parts.append(_literal(piece))
            continue
        value = f'"{piece}"'
        if piece in dataset.column_names and dataset.column(piece).type == "timestamp":
            value = f"strftime(timezone({_literal(timezone)}, {value}), '%Y-%m-%d %H:%M:%S')"
        elif piece in dataset.column_names and dataset.column(piece).type == "decimal":
            value = f"regexp_replace(cast({value} as varchar), '\\.?0+$', '')"
        parts.append(f"coalesce(cast({value} as varchar), 'empty')")
    return " || ".join(parts) or "''"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
