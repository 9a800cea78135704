"""Writing what was checked into the landing zone: a new version only where the content is new."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import duckdb

from csperf.checks import UNPARSED, Batch, Verdict
from csperf.landing import (
    ACCEPTED,
    MANIFEST,
    QUARANTINE,
    SET_ASIDE,
    Current,
    InForce,
    Partition,
    Refused,
    content_sql,
    partition,
    partition_dir,
    read_parquet_sql,
    sums_sql,
    write_current,
)
from csperf.sources.spool import BAD, DATE, RAW, ROW
from csperf.storage import PRIVATE_FILE, file_digest, private_dir, publish_dir

State = Literal["landed", "unchanged", "refused", "missing"]


@dataclass(frozen=True)
class Outcome:
    """What became of a dataset's date.

    `landed`: a new version is in force; `unchanged`: the same content was there already; `refused`: see `message`, an
    earlier version stays in force; `missing`: asked for and not delivered.
    """

    dataset: str
    business_date: date
    state: State
    rows: int = 0
    quarantined: int = 0
    skipped: int = 0
    message: str | None = None


@dataclass(frozen=True)
class Origin:
    """Where a delivery came from and when, for its manifest; `references` as in `landing.InForce`.

    `refused` is a refused attempt that stays on record: that of a date checked again from the landing zone.
    """

    source: str
    extracted_at: datetime
    references: Mapping[str, str | None]
    fingerprint: str | None = None
    refused: Refused | None = None


class Lander:
    """Lands the dates of one checked batch."""

    def __init__(self, batch: Batch, verdicts: Mapping[date, Verdict], origins: Mapping[date, Origin]) -> None:
        self._batch = batch
        self._settings = batch.settings
        self._dataset = batch.dataset
        self._verdicts = verdicts
        self._origins = origins
        self._accepted_sums: dict[date, tuple[int, int, int]] = {}
        self._quarantine_sums: dict[date, tuple[int, int, int]] = {}
        self._files: dict[date, list[str]] = {}

    def land(self) -> list[Outcome]:
        """Land every date; what is equal to the version in force is not touched."""
        with self._batch.connect() as con:
            self._make_quarantine(con)
            self._digest(con)
            return [self._land(con, day) for day in sorted(self._verdicts)]

    def _make_quarantine(self, con: duckdb.DuckDBPyConnection) -> None:
        """The table `quarantine`: a line for each reason, its row as JSON, or the raw text of what is no row."""
        fields = ", ".join(f"'{name}', cast(\"{name}\" as varchar)" for name in self._dataset.column_names)
        con.execute(
            f'create table quarantine as select business_date, row, cast(null as bigint) as line, "check", reason, '
            f"coalesce({RAW}, cast(json_object({fields}) as varchar)) as content "
            f"from bad join {self._dataset.name} on {DATE} = business_date and {ROW} = row"
        )
        lines = [
            [line.business_date, line.line, UNPARSED, line.reason, json.dumps(line.raw, ensure_ascii=False)]
            for line in self._batch.spool.unparsed
        ]
        if lines:
            con.executemany("insert into quarantine values (?, null, ?, ?, ?, ?)", lines)

    def _digest(self, con: duckdb.DuckDBPyConnection) -> None:
        columns = content_sql(self._dataset)
        good = f"{self._dataset.name} anti join bad on bad.business_date = {DATE} and bad.row = {ROW}"
        for day, *sums in con.execute(sums_sql(columns, good, DATE)).fetchall():
            self._accepted_sums[day] = (sums[0], sums[1], sums[2])
        content = "\"check\" || ':' || content"
        for day, *sums in con.execute(sums_sql(content, "quarantine", "business_date")).fetchall():
            self._quarantine_sums[day] = (sums[0], sums[1], sums[2])
        if self._batch.spool.rows:
            for day, file in con.execute(
                f"select distinct {DATE}, filename from read_parquet(?, filename = true)",
                [[str(path) for path in self._batch.spool.rows]],
            ).fetchall():
                self._files.setdefault(day, []).append(file)

    def _land(self, con: duckdb.DuckDBPyConnection, day: date) -> Outcome:
        verdict, delivery = self._verdicts[day], self._batch.spool.deliveries[day]
        before = partition(self._settings, self._dataset.name, day)
        current = before.current if before else Current()
        sums = self._accepted_sums.get(day, (0, 0, 0))
        refusal = verdict.refusal or self._losing_all(verdict, before, sums[0])
        found = [
            self._quarantine_sums.get(day),
            delivery.skipped,
            sorted((result.check, result.severity, result.failed) for result in verdict.results),
        ]
        outcome = Outcome(
            self._dataset.name,
            day,
            "landed",
            rows=sums[0],
            quarantined=verdict.quarantined,
            skipped=sum(delivery.skipped.values()),
        )
        if refusal is not None:
            version = _hash(["refused", refusal, *found])[:16]
            refused = Refused(version, refusal, verdict.quarantined)
            if current.refused != refused:
                self._write(con, day, version, refusal, None)
                write_current(self._folder(day), replace(current, refused=refused))
            return replace(outcome, state="refused", rows=0, message=refusal)
        digest = _hash(sums)
        origin = self._origins[day]
        new = InForce(
            version=_hash([digest, *found])[:16],
            digest=digest,
            rows=sums[0],
            quarantined=verdict.quarantined,
            waiting=verdict.waiting,
            references=dict(origin.references),
            fingerprint=origin.fingerprint,
        )
        old = current.accepted
        same_refusal = current.refused == origin.refused
        if old is not None and same_refusal and replace(new, fingerprint=old.fingerprint, sha256=old.sha256) == old:
            return replace(outcome, state="unchanged")
        self._write(con, day, new.version, None, digest)
        new = replace(new, sha256=file_digest(self._folder(day) / new.version / ACCEPTED))
        write_current(self._folder(day), Current(new, origin.refused))
        same = old is not None and old.version == new.version
        return replace(outcome, state="unchanged" if same else "landed")

    def _losing_all(self, verdict: Verdict, before: Partition | None, good: int) -> str | None:
        """A delivery without one good row does not replace one that has some, however few rows it has."""
        if good == 0 and verdict.delivered and before is not None and before.path is not None and before.rows:
            return (
                f"{self._dataset.name} of {verdict.business_date} is refused: none of its {verdict.delivered:,} rows "
                f"is good, and the version in force has {before.rows:,}; see its quarantine, deliver it again and "
                "run the date."
            )
        return None

    def _folder(self, day: date) -> Path:
        return partition_dir(self._settings, self._dataset.name, day)

    def _write(
        self, con: duckdb.DuckDBPyConnection, day: date, version: str, refusal: str | None, digest: str | None
    ) -> None:
        """Prepare a version's folder and move it into place; one that is there already is the same one."""
        target = self._folder(day) / version
        if target.exists():
            return
        prepared = self._batch.folder / "prepared"
        shutil.rmtree(prepared, ignore_errors=True)
        private_dir(prepared)
        names = ", ".join(f'"{name}"' for name in self._dataset.column_names)
        rows = f"(select * from {self._dataset.name} limit 0)"
        if day in self._files:
            rows = read_parquet_sql(self._files[day])
        here = f"from {rows} as rows_of {{}} bad on bad.business_date = date '{day}' and bad.row = {ROW}"
        where = f"where {DATE} = date '{day}'"
        if refusal is None:
            _copy(con, f"select {names}, {ROW} {here.format('anti join')} {where}", prepared / ACCEPTED)
        if self._verdicts[day].quarantined:
            _copy(
                con,
                f"select '{self._dataset.name}' as dataset, business_date, row, line, \"check\", reason, content "
                f"from quarantine where business_date = date '{day}' order by row, line, \"check\"",
                prepared / QUARANTINE,
            )
            _copy(
                con,
                f"select {DATE}, {ROW}, {names}, {BAD}, {RAW} {here.format('semi join')} {where} order by {ROW}",
                prepared / SET_ASIDE,
            )
        manifest = prepared / MANIFEST
        manifest.write_text(
            json.dumps(self._manifest(day, version, refusal, digest), ensure_ascii=False, indent=1) + "\n"
        )
        manifest.chmod(PRIVATE_FILE)
        publish_dir(prepared, target)

    def _manifest(self, day: date, version: str, refusal: str | None, digest: str | None) -> dict[str, Any]:
        verdict, delivery, origin = self._verdicts[day], self._batch.spool.deliveries[day], self._origins[day]
        unparsed = sum(line.business_date == day for line in self._batch.spool.unparsed)
        return {
            "dataset": self._dataset.name,
            "business_date": day.isoformat(),
            "version": version,
            "state": "refused" if refusal else "accepted",
            "message": refusal,
            "source": origin.source,
            "origin": delivery.origin,
            "extracted_at": origin.extracted_at.isoformat(),
            "columns": list(delivery.columns),
            "digest": digest,
            "rows": {
                "delivered": verdict.delivered,
                "accepted": self._accepted_sums.get(day, (0, 0, 0))[0] if refusal is None else 0,
                "quarantined": verdict.quarantined,
                "unparsed": unparsed,
                "skipped": dict(delivery.skipped),
            },
            "references": dict(origin.references),
            "suite": {"name": self._dataset.name, "digest": self._batch.suite.digest},
            "results": [{**asdict(result), "business_date": day.isoformat()} for result in verdict.results],
        }


def _copy(con: duckdb.DuckDBPyConnection, select: str, path: Path) -> None:
    con.execute(f"copy ({select}) to '{str(path).replace(chr(39), chr(39) * 2)}' (format parquet)")
    path.chmod(PRIVATE_FILE)


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
