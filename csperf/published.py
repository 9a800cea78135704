"""The published record: approved tier decisions and payroll, as files that never change once they are there.

`payroll/<month>/rev-NNN/` and `tiers/<quarter>/rev-NNN/` under CSPERF_HOME are the record; schema `published` of
the warehouse is a copy of it that `load_published` makes again whenever the record has grown.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from csperf.errors import CsperfError
from csperf.settings import Settings
from csperf.storage import file_digest, json_bytes, write_json

DRAFT = "draft"
MANIFEST = "manifest.json"
SEAL = "seal"
RETRO_PREFIX = "retro_"

# Column lists of the record's Parquet files and of the tables in schema `published`.
DECISION_COLUMNS = (
    "quarter varchar, revision integer, employee_id varchar, plan varchar, post varchar, grade_before varchar, "
    "decision varchar, grade_after varchar, effective_from date, reason varchar"
)
CONDITION_COLUMNS = (
    "quarter varchar, revision integer, employee_id varchar, condition varchar, measure varchar, "
    "value decimal(18,6), operator varchar, threshold decimal(18,6), met boolean"
)
LINE_COLUMNS = (
    "pay_month varchar, revision integer, employee_id varchar, component varchar, component_group varchar, "
    "quantity decimal(18,6), rate decimal(18,6), base_amount decimal(18,6), amount decimal(18,2), "
    "policy_version varchar, explanation varchar"
)
RETRO_COLUMNS = (
    "pay_month varchar, revision integer, employee_id varchar, component varchar, for_month varchar, "
    "for_revision integer, due decimal(18,2), paid decimal(18,2), amount decimal(18,2), still_due decimal(18,2)"
)
CORRECTION_COLUMNS = (
    "pay_month varchar, revision integer, employee_id varchar, component varchar, for_month varchar, "
    "for_revision integer, cause varchar, amount decimal(18,2), changed varchar"
)
_WHO_AND_WHEN = (
    "prepared_by varchar, prepared_at timestamptz, approved_by varchar, approved_at timestamptz, "
    "published_at timestamptz, refused_by varchar, refused_at timestamptz, refused_because varchar"
)
PAYROLL_RUN_COLUMNS = (
    "pay_month varchar, revision integer, status varchar, input_digest varchar, policy_digest varchar, "
    "code_digest varchar, figures_digest varchar, employees bigint, row_count bigint, control_total decimal(18,2), "
) + _WHO_AND_WHEN
TIER_RUN_COLUMNS = (
    "quarter varchar, revision integer, status varchar, input_digest varchar, policy_digest varchar, "
    "code_digest varchar, figures_digest varchar, employees bigint, row_count bigint, "
) + _WHO_AND_WHEN
RELEASE_CHECK_COLUMNS = (
    "pay_month varchar, revision integer, status varchar, check_name varchar, severity varchar, reason varchar, "
    "checked_rows bigint, failed_rows bigint"
)
TABLES: Mapping[str, str] = {
    "tier_decisions": DECISION_COLUMNS,
    "tier_conditions": CONDITION_COLUMNS,
    "tier_runs": TIER_RUN_COLUMNS,
    "pay_lines": LINE_COLUMNS,
    "retro_details": RETRO_COLUMNS,
    "corrections": CORRECTION_COLUMNS,
    "payroll_runs": PAYROLL_RUN_COLUMNS,
    "release_checks": RELEASE_CHECK_COLUMNS,
}


@dataclass(frozen=True)
class Revision:
    """One folder of the record: a published revision, or the draft of the next one.

    `status` is draft (it waits for approval), approved (its publication was stopped on the way) or published.
    """

    period: str
    number: int
    status: str
    path: Path
    manifest: Mapping[str, Any]

    @property
    def figures_digest(self) -> str:
        """Digest of what was approved: equal for equal figures, whatever the revision number."""
        return str(self.manifest["figures_digest"])

    @property
    def seal(self) -> str:
        """Digest of all that the manifest says, digests of the files included: equal for the very same revision."""
        return str(self.manifest.get(SEAL))

    def file(self, part: str) -> Path | None:
        """The file that plays a part (`lines`, `retro`, `decisions`, `conditions`, …), None where there is none."""
        name = self.manifest.get("parts", {}).get(part)
        return self.path / name if name else None


def revisions(root: Path, period: object) -> list[Revision]:
    """The approved revisions of a month (`settings.payroll_dir`) or quarter (`settings.tiers_dir`), oldest first.

    CsperfError when one is missing between others or has no readable manifest.
    """
    folder = root / str(period)
    found = [
        _read(path, str(period), int(path.name[4:]))
        for path in sorted(folder.glob("rev-*"))
        if re.fullmatch(r"rev-\d{3,}", path.name)
    ]
    for expected, revision in enumerate(sorted(found, key=lambda each: each.number), start=1):
        if revision.number != expected:
            raise CsperfError(
                f"{folder} has no rev-{expected:03d} though there is a later one; restore the folder from a backup."
            )
    return sorted(found, key=lambda each: each.number)


def newest(root: Path, period: object) -> Revision | None:
    """The newest approved revision of a month or quarter, None when there is none."""
    found = revisions(root, period)
    return found[-1] if found else None


def draft(root: Path, period: object) -> Revision | None:
    """The draft of a month or quarter that waits for approval, None when there is none."""
    path = root / str(period) / DRAFT
    if not (path / MANIFEST).is_file():
        return None
    manifest = _manifest(path)
    return Revision(str(period), int(manifest["revision"]), str(manifest["status"]), path, manifest)


def closed_periods(root: Path) -> list[str]:
    """Months or quarters with at least one approved revision, in their order."""
    return sorted({path.parent.name for path in root.glob("*/rev-*") if re.fullmatch(r"rev-\d{3,}", path.name)})


def check_files(revision: Revision) -> None:
    """Compare each file of a revision with its manifest; CsperfError when one is missing or was changed."""
    for damage in damages(revision):
        raise CsperfError(damage)


def damages(revision: Revision) -> list[str]:
    """A sentence for each file of a revision that is not as its manifest has it, and for a manifest that is not as it
    was written; none when all are."""
    told = []
    path = revision.path / MANIFEST
    if path.read_bytes() != json_bytes(_sealed(revision.manifest)):
        told.append(f"{path} differs from what was written (its seal does not fit); restore it from a backup.")
    for name, facts in revision.manifest["files"].items():
        path = revision.path / name
        if not path.is_file():
            told.append(f"{path} is missing from the published record; restore it from a backup.")
        elif file_digest(path) != facts["sha256"]:
            told.append(
                f"{path} differs from what was approved (its sha256 is not the manifest's); restore it from a backup."
            )
    return told


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write a folder's manifest atomically, sealed: with a digest of all it says, so that a changed byte is noticed."""
    write_json(folder / MANIFEST, _sealed(json.loads(json_bytes(manifest))))


def _sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    content = {name: value for name, value in manifest.items() if name != SEAL}
    return {**content, SEAL: hashlib.sha256(json_bytes(content)).hexdigest()}


def quoted(text: object) -> str:
    """A text (a path, say) as a literal in SQL."""
    return "'" + str(text).replace("'", "''") + "'"


def rows_digest(rows: Iterable[Sequence[object]]) -> str:
    """sha256 of rows in the order given; None and text are told apart, numbers count by their exact text."""
    digest = hashlib.sha256()
    for row in rows:
        cells = [None if cell is None else str(cell) for cell in row]
        digest.update(json.dumps(cells, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def column_names(table: str) -> list[str]:
    """The columns of a table of schema `published`, in their order."""
    return [column.split()[0] for column in TABLES[table].split(", ")]


def load_published(con: duckdb.DuckDBPyConnection, settings: Settings) -> str:
    """Fill schema `published` of the warehouse from the record and return the digest of the grades decided.

    Tables (types fixed even when empty): `tier_decisions`, `tier_conditions`, `pay_lines`, `retro_details` and
    `corrections` hold published revisions only, all of them; `tier_runs`, `payroll_runs` and `release_checks` have
    rows for a waiting draft besides (status `draft` or `approved`). The digest covers the promotions and demotions in
    force (newest revision of each quarter): it is what the figures of later months depend on. Each file is compared
    with its manifest when it is read; CsperfError when the record is damaged. Nothing is read again while the record
    has not changed.
    """
    con.execute("create schema if not exists published")
    payroll = list(_all(settings.payroll_dir))
    tiers = list(_all(settings.tiers_dir))
    state = rows_digest(
        [[json.dumps(TABLES)], *([each.period, each.number, each.status, each.seal] for each in payroll + tiers)]
    )
    if _loaded_state(con) != state:
        con.execute("begin")
        try:
            _fill(con, payroll, tiers)
            con.execute("create or replace table published.info (state varchar)")
            con.execute("insert into published.info values (?)", [state])
            con.execute("commit")
        except BaseException:
            con.execute("rollback")
            raise
    return rows_digest(con.execute(_GRADES_IN_FORCE).fetchall())


# The newest revision is taken from the runs: one that takes the only promotion back has no such row left.
_GRADES_IN_FORCE = """
    with newest as (select quarter, max(revision) as revision from published.tier_runs
                    where status = 'published' group by quarter)
    select quarter, employee_id, grade_after, effective_from from published.tier_decisions
    join newest using (quarter, revision)
    where decision in ('promote', 'demote')
    order by all
"""


def _loaded_state(con: duckdb.DuckDBPyConnection) -> str | None:
    names = {
        row[0]
        for row in con.execute(
            "select table_name from information_schema.tables "
            "where table_catalog = current_database() and table_schema = 'published'"
        ).fetchall()
    }
    if not {*TABLES, "info"} <= names:
        return None
    row = con.execute("select state from published.info").fetchone()
    return str(row[0]) if row else None


def _fill(con: duckdb.DuckDBPyConnection, payroll: Sequence[Revision], tiers: Sequence[Revision]) -> None:
    for name, columns in TABLES.items():
        con.execute(f"create or replace table published.{name} ({columns})")
    for table, part, folders in (
        ("pay_lines", "lines", payroll),
        ("retro_details", "retro", payroll),
        ("corrections", "corrections", payroll),
        ("tier_decisions", "decisions", tiers),
        ("tier_conditions", "conditions", tiers),
    ):
        approved = [each for each in folders if each.status == "published"]
        files = [str(path) for path in (each.file(part) for each in approved) if path is not None]
        if files:
            names = ", ".join(column_names(table))
            con.execute(
                f"insert into published.{table} by name select {names} from read_parquet(?, hive_partitioning=false)",
                [files],
            )
    for table, key, folders in (("payroll_runs", "pay_month", payroll), ("tier_runs", "quarter", tiers)):
        for each in folders:
            known = {key: each.period, "revision": each.number, "status": each.status}
            if each.manifest.get("refusals"):
                last = each.manifest["refusals"][-1]
                known |= {"refused_by": last["by"], "refused_at": last["at"], "refused_because": last["reason"]}
            row = [known.get(name, each.manifest.get(name)) for name in column_names(table)]
            con.execute(f"insert into published.{table} values ({', '.join('?' * len(row))})", row)
    for each in payroll:
        results = each.manifest.get("gate", {}).get("results", ())
        rows = [[found[name] for name in ("check", "severity", "reason", "rows", "failed")] for found in results]
        if rows:
            about = [each.period, each.number, each.status]
            con.executemany(
                "insert into published.release_checks values (?, ?, ?, ?, ?, ?, ?, ?)", [[*about, *row] for row in rows]
            )


def _all(root: Path) -> Iterator[Revision]:
    """Every approved revision and every draft below a folder of the record."""
    for period in sorted(path.name for path in root.glob("*") if path.is_dir()):
        for revision in revisions(root, period):
            check_files(revision)
            yield revision
        waiting = draft(root, period)
        if waiting is not None:
            yield waiting


def _read(path: Path, period: str, number: int) -> Revision:
    return Revision(period, number, "published", path, _manifest(path))


def _manifest(path: Path) -> Mapping[str, Any]:
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CsperfError(f"{path} has no {MANIFEST}; restore the folder from a backup.") from None
    except (ValueError, OSError) as error:
        raise CsperfError(f"{path / MANIFEST} cannot be read ({error}); restore it from a backup.") from None
    if not isinstance(manifest, dict) or not {"figures_digest", "files", "revision", "status"} <= manifest.keys():
        raise CsperfError(f"{path / MANIFEST} is no manifest of ours; restore it from a backup.")
    return manifest
