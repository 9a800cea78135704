"""The landing zone: what each source delivered, by dataset and business date, immutable and content-addressed.

    landing/<dataset>/<date>/<version>/accepted.parquet     contract columns and _row
                                       quarantine.parquet   a line a reason: id, row or line number, check, reason,
                                                            content, and whether the row was discarded
                                       set_aside.parquet    the quarantined rows in their types, to check them again
                                       manifest.json
    landing/<dataset>/<date>/current.json                   which version is in force, and the last refused attempt
    landing/<dataset>/<date>/journal.jsonl                  what left quarantine and what was discarded

A version is a folder that never changes once it is there, and none is ever deleted: published pay rests on it.
`current.json` is replaced atomically.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import duckdb

from csperf.datasets import DATASETS, Dataset
from csperf.errors import CsperfError
from csperf.published import quoted
from csperf.settings import Settings
from csperf.storage import write_json

ACCEPTED, QUARANTINE, SET_ASIDE, MANIFEST, CURRENT = (
    "accepted.parquet",
    "quarantine.parquet",
    "set_aside.parquet",
    "manifest.json",
    "current.json",
)


@dataclass(frozen=True)
class InForce:
    """The accepted version that is in force.

    `digest` is that of the accepted rows' content whatever their order; `version` names the folder and changes with
    anything that was found as well. `waiting` lists ids that some quarantined rows wait for, `references` the digests
    of the datasets that the rows were checked against, `fingerprint` the source's own mark of the delivery, `sha256`
    that of the file of accepted rows. `discarded` counts rows that somebody waived for good, `waived` is the digest of
    those waivers. `delivered` is the digest of all that was delivered, whatever became of it. `notes` are what else is
    to be said of the delivery (`versions.Note`).
    """

    version: str
    digest: str
    rows: int
    quarantined: int
    waiting: list[str] = field(default_factory=list)
    references: dict[str, str | None] = field(default_factory=dict)
    fingerprint: str | None = None
    sha256: str | None = None
    discarded: int = 0
    waived: str | None = None
    delivered: str | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Refused:
    """The last attempt to deliver the date, which was refused."""

    version: str
    message: str
    quarantined: int


@dataclass(frozen=True)
class Current:
    """What `current.json` holds; `withdrawn` is when the source was first seen to have the date no more."""

    accepted: InForce | None = None
    refused: Refused | None = None
    withdrawn: str | None = None


@dataclass(frozen=True)
class Partition:
    """A dataset's date in the landing zone.

    `state` is `accepted`, or `refused` when the last attempt was; then `message` says why, and what else is told is
    the earlier version still in force. `path`, `digest` and `version` are None when no version was ever accepted;
    `manifest_path` is then the refused attempt's.
    """

    dataset: str
    business_date: date
    digest: str | None
    path: Path | None
    rows: int
    quarantined: int
    state: Literal["accepted", "refused"]
    message: str | None
    manifest_path: Path
    version: str | None
    refused_manifest_path: Path | None
    sha256: str | None
    current: Current

    @property
    def folder(self) -> Path:
        """Where the date's versions lie."""
        return self.manifest_path.parent.parent

    @property
    def discarded(self) -> int:
        """Rows of the version in force that somebody waived for good."""
        return self.current.accepted.discarded if self.current.accepted else 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What else is to be said of the date (`versions.Note`): late, corrected, empty, partial, withdrawn."""
        found = list(self.current.accepted.notes) if self.current.accepted else []
        return tuple(dict.fromkeys([*found, "withdrawn"] if self.current.withdrawn else found))


def partition_dir(settings: Settings, dataset: str, business_date: date) -> Path:
    """Where a dataset's date lies."""
    return settings.landing_dir / dataset / business_date.isoformat()


def partitions(settings: Settings, datasets: Iterable[str] | None = None) -> list[Partition]:
    """All partitions (of those datasets) by dataset and date, read from the small `current.json` files alone."""
    found = []
    for dataset in DATASETS if datasets is None else datasets:
        folder = settings.landing_dir / dataset
        try:
            names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
        except FileNotFoundError:
            continue
        for name in names:
            partition = _read(folder / name, dataset, name)
            if partition is not None:
                found.append(partition)
    return found


def partition(settings: Settings, dataset: str, business_date: date) -> Partition | None:
    """One partition; None when nothing was ever landed for the date."""
    return _read(partition_dir(settings, dataset, business_date), dataset, business_date.isoformat())


def past(settings: Settings, dataset: str, business_date: date, version: str) -> Partition:
    """A date's partition as it was when an earlier version was in force; CsperfError when that is gone or damaged."""
    folder = partition_dir(settings, dataset, business_date)
    try:
        manifest = read_manifest(folder / version / MANIFEST)
        rows = manifest["rows"]
        accepted = InForce(version, manifest["digest"], rows["accepted"], rows["quarantined"])
    except (OSError, ValueError, KeyError) as error:
        raise CsperfError(
            f"{folder / version / MANIFEST} ({dataset} of {business_date}) cannot be read ({error}); restore it from a "
            "backup: published pay rests on it."
        ) from None
    return _partition(folder, dataset, business_date, Current(accepted))


def _read(folder: Path, dataset: str, name: str) -> Partition | None:
    path = f"{folder}/{CURRENT}"
    try:
        with open(path, "rb") as file:  # noqa: PTH123  a plain open is twice as fast, for many thousand files
            content = json.loads(file.read())
    except FileNotFoundError:
        return None  # killed between making the folder and the pointer: nothing was landed yet
    except ValueError:
        raise CsperfError(f"{path} is damaged; restore it, or delete this one file and run the date again.") from None
    accepted = InForce(**content["accepted"]) if content["accepted"] else None
    refused = Refused(**content["refused"]) if content["refused"] else None
    return _partition(folder, dataset, date.fromisoformat(name), Current(accepted, refused, content.get("withdrawn")))


def _partition(folder: Path, dataset: str, business_date: date, current: Current) -> Partition:
    accepted, refused = current.accepted, current.refused
    return Partition(
        dataset=dataset,
        business_date=business_date,
        digest=accepted.digest if accepted else None,
        path=folder / accepted.version / ACCEPTED if accepted else None,
        rows=accepted.rows if accepted else 0,
        quarantined=(accepted or refused).quarantined if accepted or refused else 0,  # type: ignore[union-attr]
        state="refused" if refused else "accepted",
        message=refused.message if refused else None,
        manifest_path=folder / (accepted or refused).version / MANIFEST,  # type: ignore[union-attr]
        version=accepted.version if accepted else None,
        refused_manifest_path=folder / refused.version / MANIFEST if refused else None,
        sha256=accepted.sha256 if accepted else None,
        current=current,
    )


def write_current(folder: Path, current: Current) -> None:
    """Point the date at a version, atomically."""
    write_json(folder / CURRENT, asdict(current))


def read_manifest(path: Path) -> dict[str, Any]:
    """A version's manifest."""
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content


def content_sql(dataset: Dataset, alias: str = "") -> str:
    """SQL for a row's content as text that is the same in any version of DuckDB: each field with its length."""
    parts = []
    for column in dataset.columns:
        name = f'{alias}"{column.name}"'
        text = f"epoch_us({name})" if column.type == "timestamp" else name
        text = f"cast({text} as varchar)"
        parts.append(f"coalesce(length({text}) || ':' || {text}, '-')")
    return " || ".join(parts)


def content_json_sql(dataset: Dataset) -> str:
    """SQL for a row of a spool as JSON text: as it was delivered where that is kept, else its fields."""
    fields = ", ".join(f"'{name}', cast(\"{name}\" as varchar)" for name in dataset.column_names)
    return f"coalesce(_raw, cast(json_object({fields}) as varchar))"


def row_id_sql(dataset: str, business_date: str, content: str) -> str:
    """SQL for the stable id of a row: equal rows of a delivery have an equal one, whatever their place in it."""
    return f"left(sha256('{dataset}|' || {business_date} || '|' || {content}), 16)"


@dataclass(frozen=True)
class SetAside:
    """How many rows of a version wait and how many were discarded, by their id."""

    waiting: Counter[str]
    discarded: Counter[str]


def set_aside(con: duckdb.DuckDBPyConnection, part: Path, dataset: str, business_date: date) -> SetAside:
    """The quarantined rows of a version, whose folder is `part`, by their id."""
    waiting, discarded = Counter[str](), Counter[str]()
    if (part / QUARANTINE).exists():
        rows = quarantine_sql(con, part / QUARANTINE, dataset, business_date)
        for row_id, gone, count in con.execute(
            f"select id, discarded, count(distinct (row, line)) from {rows} group by all"
        ).fetchall():
            (discarded if gone else waiting)[row_id] += count
    return SetAside(waiting, discarded)


def quarantine_sql(con: duckdb.DuckDBPyConnection, path: Path, dataset: str, business_date: date) -> str:
    """A FROM item for a file of quarantined rows; `id` and `discarded` are given to files that are older than these."""
    read = f"read_parquet({quoted(path)}, hive_partitioning = false)"
    if "id" in {row[0] for row in con.execute(f"describe select * from {read}").fetchall()}:
        return read
    return f"(select {row_id_sql(dataset, quoted(business_date), 'content')} as id, false as discarded, * from {read})"


def sums_sql(text: str, relation: str, by: str) -> str:
    """SQL for what the digests of many texts are made of, whatever their order: a row for each value of `by` with
    the number of texts and the sums of both halves of their hashes."""
    return (
        f"select by_date, count(*), sum(cast(hash & 18446744073709551615::uhugeint as ubigint)), "
        f"sum(cast(hash >> 64 as ubigint)) "
        f"from (select {by} as by_date, md5_number({text}) as hash from {relation}) group by by_date"
    )


def read_parquet_sql(paths: Iterable[Path | str]) -> str:
    """The SQL that reads some Parquet files, for where a parameter cannot stand."""
    return "read_parquet([" + ", ".join(map(quoted, paths)) + "])"


def load_roster_ids(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make the table `known_employees(employee_id)`: everyone in any accepted roster. Equal rosters are read once."""
    paths = {part.digest: str(part.path) for part in partitions(settings, ["employees"]) if part.path is not None}
    con.execute("create or replace table known_employees (employee_id varchar)")
    if paths:
        con.execute(
            "insert into known_employees select distinct employee_id from read_parquet(?)", [sorted(paths.values())]
        )


def dated_sql(columns: str, landed: Iterable[Partition], where: str = "true") -> list[str]:
    """For each partition that has rows a query for columns of those accepted, behind their business date."""
    return [
        f"select date '{part.business_date}' as business_date, {columns} from {read_parquet_sql([part.path])} "
        f"where {where}"
        for part in landed
        if part.path is not None
    ]
