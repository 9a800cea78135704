"""What a revision rests on: the code, the policies, the landed versions and the revisions published before it.

Noted in the manifest of every draft, so that a revision can be computed again from the records as they were
(`csperf payroll verify`) and a difference to it can be traced to what has changed since (`csperf.corrections`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from csperf.datasets import DATASETS
from csperf.errors import CsperfError
from csperf.kept_policies import kept_files
from csperf.periods import Month
from csperf.published import Revision, closed_periods, newest
from csperf.settings import Settings
from csperf.storage import file_digest
from csperf.warehouse import code_digest

# What makes lines and extract of the tables, beside what makes the tables.
_MODULES = (
    *("extract/*.py", "figures.py", "published.py", "retro.py", "workdays.py"),
    *("policy/show.py", "policy/words.py"),  # they write the workbook's sheet of plans
)
_LIBRARIES = ("dbt-core", "dbt-duckdb", "sqlglot", "XlsxWriter", "chinese-calendar")

Inputs = Mapping[str, Mapping[str, "Input"]]
"""Landed versions by dataset and date (`2026-09-30`)."""


@dataclass(frozen=True)
class Input:
    """A landed version: its name and the sha256 of its file of accepted rows."""

    version: str
    sha256: str


@dataclass(frozen=True)
class Before:
    """The newest published revision of a month or quarter at the time, and its seal."""

    revision: int
    seal: str


@dataclass(frozen=True)
class Basis:
    """All that the figures of a month or quarter follow from.

    `policies` names a kept set of plan files, `payroll` and `tiers` the revisions published before, by period.
    """

    code: str
    policies: str
    inputs: Inputs
    payroll: Mapping[str, Before]
    tiers: Mapping[str, Before]

    def in_manifest(self, settings: Settings) -> dict[str, Any]:
        """The basis as it stands in a manifest, with the sha256 of each policy file."""
        return {
            "code_digest": self.code,
            "policies": {"digest": self.policies, "files": kept_files(settings, self.policies)},
            "inputs": {
                name: {day: {"version": each.version, "sha256": each.sha256} for day, each in days.items()}
                for name, days in self.inputs.items()
            },
            "record": {
                kind: {period: {"revision": each.revision, "seal": each.seal} for period, each in periods.items()}
                for kind, periods in (("payroll", self.payroll), ("tiers", self.tiers))
            },
        }


def basis_of(revision: Revision) -> Basis:
    """What a published revision (or a draft) rests on, from its manifest; CsperfError when that does not say."""
    manifest = revision.manifest
    try:
        record = manifest["record"]
        return Basis(
            code=manifest["code_digest"],
            policies=manifest["policies"]["digest"],
            inputs={
                name: {day: Input(each["version"], each["sha256"]) for day, each in days.items()}
                for name, days in manifest["inputs"].items()
            },
            payroll={period: Before(each["revision"], each["seal"]) for period, each in record["payroll"].items()},
            tiers={period: Before(each["revision"], each["seal"]) for period, each in record["tiers"].items()},
        )
    except (KeyError, TypeError):
        raise CsperfError(
            f"{revision.path} does not say what it was computed from, so it cannot be computed again; restore it from "
            "a backup."
        ) from None


def basis_now(con: duckdb.DuckDBPyConnection, settings: Settings, month: Month) -> Basis:
    """What the figures of a month (or of the quarter that ends with it) in the warehouse rest on.

    `con` has the warehouse attached as `csperf` (see `figures.open_figures`).
    """
    (policies,) = _one(con, "select value from csperf.control.info where name = 'policies'")
    rows = con.execute(
        "select dataset, business_date, version, sha256, path from csperf.control.partitions order by all"
    ).fetchall()
    inputs: dict[str, dict[str, Input]] = {}
    for dataset, day, landed, sha256, path in _used(rows, month.last_day):
        inputs.setdefault(dataset, {})[str(day)] = Input(landed, sha256 or file_digest(Path(path)))
    return Basis(
        code=ledger_code(settings),
        policies=str(policies),
        inputs=inputs,
        payroll=record(settings.payroll_dir),
        tiers=record(settings.tiers_dir),
    )


def ledger_code(settings: Settings) -> str:
    """A digest of the code that makes pay lines and extract of the records, and of the libraries it rests on."""
    digest = hashlib.sha256(f"{code_digest()} {settings.timezone}".encode())
    for pattern in _MODULES:
        for path in sorted(Path(__file__).parent.glob(pattern)):
            digest.update(path.read_bytes())
    for name in _LIBRARIES:
        digest.update(f"{name} {version(name)}\n".encode())
    return digest.hexdigest()


def record(root: Path) -> dict[str, Before]:
    """The newest published revision of each month (`settings.payroll_dir`) or quarter (`settings.tiers_dir`)."""
    found = {period: newest(root, period) for period in closed_periods(root)}
    return {period: Before(each.number, each.seal) for period, each in found.items() if each is not None}


def _used(rows: Iterable[tuple[Any, ...]], last_day: date) -> list[tuple[Any, ...]]:
    """The partitions (dataset and date first, in order) that figures up to a day can depend on.

    Of a daily dataset those up to that day; rosters likewise, or the oldest one where none is so old; of the other
    full datasets the newest delivery, whenever it came.
    """
    by_dataset: dict[str, list[tuple[Any, ...]]] = {}
    for row in rows:
        by_dataset.setdefault(row[0], []).append(row)
    used = []
    for name, found in by_dataset.items():
        earlier = [row for row in found if row[1] <= last_day]
        if DATASETS[name].kind == "daily":
            used += earlier
        elif name == "employees":
            used += earlier or found[:1]
        else:
            used += found[-1:]
    return used


def _one(con: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = con.execute(query).fetchone()
    assert row is not None  # the build notes it before anything else
    return row
