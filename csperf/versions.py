"""Writing what was checked into the landing zone: a new version only where the content is new."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import duckdb

from csperf.checks import UNPARSED, Batch, Verdict
from csperf.journal import Action, Entry, append, waived
from csperf.landing import (
    ACCEPTED,
    MANIFEST,
    QUARANTINE,
    SET_ASIDE,
    Current,
    InForce,
    Partition,
    Refused,
    SetAside,
    content_json_sql,
    content_sql,
    partition,
    partition_dir,
    read_parquet_sql,
    row_id_sql,
    set_aside,
    sums_sql,
    write_current,
)
from csperf.sources.spool import BAD, DATE, RAW, ROW
from csperf.storage import PRIVATE_FILE, file_digest, private_dir, publish_dir

State = Literal["landed", "unchanged", "refused", "missing", "withdrawn"]
# What else is to be said of a delivery. `late`: it came first when later dates were landed already. `corrected`: it
# took the place of another with other rows. `empty`: it has no rows. `withdrawn`: the date had rows, and the source
# has none or no delivery of it any more. `partial`: far fewer rows than usual.
Note = Literal["late", "corrected", "empty", "withdrawn", "partial"]
PARTIAL = "volume_low"


@dataclass(frozen=True)
class Outcome:
    """What became of a dataset's date.

    `landed`: a new version is in force; `unchanged`: the same content was there already; `refused`: see `message`, an
    earlier version stays in force; `missing`: asked for and not delivered; `withdrawn`: not delivered any more, the
    version in force stays. `notes` say what kind of delivery it was.
    """

    dataset: str
    business_date: date
    state: State
    rows: int = 0
    quarantined: int = 0
    skipped: int = 0
    discarded: int = 0
    message: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Occasion:
    """Why a date is checked now: for the journal, should rows leave its quarantine.

    `newest` is the newest date that was landed before.
    """

    action: Action
    by: str
    at: datetime
    why: str
    newest: date | None = None


@dataclass(frozen=True)
class Origin:
    """Where a delivery came from and when, for its manifest; `references` as in `landing.InForce`.

    `refused` and `withdrawn` stay on record: they are those of a date checked again from the landing zone.
    """

    source: str
    extracted_at: datetime
    references: Mapping[str, str | None]
    fingerprint: str | None = None
    refused: Refused | None = None
    withdrawn: str | None = None


class Lander:
    """Lands the dates of one checked batch."""

    def __init__(
        self, batch: Batch, verdicts: Mapping[date, Verdict], origins: Mapping[date, Origin], occasion: Occasion
    ) -> None:
        self._occasion = occasion
        self._batch = batch
        self._settings = batch.settings
        self._dataset = batch.dataset
        self._verdicts = verdicts
        self._origins = origins
        self._accepted_sums: dict[date, tuple[int, int, int]] = {}
        self._quarantine_sums: dict[date, tuple[int, int, int]] = {}
        self._delivered_sums: dict[date, list[Any]] = {}
        self._files: dict[date, list[str]] = {}

    def land(self) -> list[Outcome]:
        """Land every date; what is equal to the version in force is not touched."""
        with self._batch.connect() as con:
            self._make_quarantine(con)
            self._digest(con)
            return [self._land(con, day) for day in sorted(self._verdicts)]

    def _make_quarantine(self, con: duckdb.DuckDBPyConnection) -> None:
        """The table `quarantine`: a line for each reason, its row as JSON, or the raw text of what is no row."""
        dataset = self._dataset
        con.execute(
            f"""create table quarantine as
            with reasons as (
                select business_date, row, cast(null as bigint) as line, "check", reason,
                    {content_json_sql(dataset)} as content
                from bad inner join {dataset.name} on {DATE} = business_date and {ROW} = row
                union all
                select business_date, null, line, '{UNPARSED}', reason, content from lines
            )
            select reasons.business_date, {row_id_sql(dataset.name, "reasons.business_date", "content")} as id,
                reasons.row, reasons.line, "check", reason, content, gone.business_date is not null as discarded
            from reasons left join discarded as gone on gone.business_date = reasons.business_date
                and gone.row is not distinct from reasons.row and gone.line is not distinct from reasons.line"""
        )

    def _digest(self, con: duckdb.DuckDBPyConnection) -> None:
        columns = content_sql(self._dataset)
        good = f"{self._dataset.name} anti join bad on bad.business_date = {DATE} and bad.row = {ROW}"
        for day, *sums in con.execute(sums_sql(columns, good, DATE)).fetchall():
            self._accepted_sums[day] = (sums[0], sums[1], sums[2])
            self._delivered_sums[day] = sums
        content = "\"check\" || ':' || content"
        for day, *sums in con.execute(sums_sql(content, "quarantine", "business_date")).fetchall():
            self._quarantine_sums[day] = (sums[0], sums[1], sums[2])
        bad = good.replace("anti join bad", "semi join bad")
        for text, rows, by in ((columns, bad, DATE), ("content", "lines", "business_date")):
            for day, *sums in con.execute(sums_sql(text, rows, by)).fetchall():
                before = self._delivered_sums.setdefault(day, [0, 0, 0])
                self._delivered_sums[day] = [one + other for one, other in zip(before, sums, strict=True)]
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
        waivers = waived(self._batch.waivers.get(day, Counter()))
        found = [
            self._quarantine_sums.get(day),
            delivery.skipped,
            sorted((result.check, result.severity, result.failed) for result in verdict.results),
            *([waivers] if verdict.discarded else []),
        ]
        outcome = Outcome(
            self._dataset.name,
            day,
            "landed",
            rows=sums[0],
            quarantined=verdict.quarantined,
            skipped=sum(delivery.skipped.values()),
            discarded=verdict.discarded,
        )
        if refusal is not None:
            version = _hash(["refused", refusal, *found])[:16]
            refused = Refused(version, refusal, verdict.quarantined)
            if current.refused != refused:
                self._write(con, day, version, refusal, None)
                self._point(con, day, current, replace(current, refused=refused, withdrawn=None))
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
            discarded=verdict.discarded,
            waived=waivers,
            delivered=_hash(self._delivered_sums.get(day, [])),
        )
        old = current.accepted
        outcome = replace(outcome, notes=self._notes(verdict, old, new))
        same_rest = (current.refused, current.withdrawn) == (origin.refused, origin.withdrawn)
        if (
            old is not None
            and same_rest
            and replace(new, fingerprint=old.fingerprint, sha256=old.sha256, notes=old.notes) == old
        ):
            return replace(outcome, state="unchanged", notes=tuple(old.notes))
        self._write(con, day, new.version, None, digest)
        sha256 = file_digest(self._folder(day) / new.version / ACCEPTED)
        new = replace(new, sha256=sha256, notes=list(outcome.notes))
        self._point(con, day, current, Current(new, origin.refused, origin.withdrawn))
        same = old is not None and old.version == new.version
        return replace(outcome, state="unchanged" if same else "landed")

    def _notes(self, verdict: Verdict, old: InForce | None, new: InForce) -> tuple[Note, ...]:
        """What kind of delivery this is, beside what was said of the one before and still holds."""
        delivered_again = self._occasion.action == "delivered again"
        said = set(old.notes) if old else set()
        late = old is None and self._occasion.newest is not None and verdict.business_date < self._occasion.newest
        other = old is not None and old.delivered != new.delivered and delivered_again
        had_rows = old is not None and old.rows > 0
        found: dict[Note, bool] = {
            "late": late or "late" in said,
            "corrected": (other and verdict.delivered > 0) or "corrected" in said,
            "empty": verdict.delivered == 0,
            "withdrawn": verdict.delivered == 0 and (had_rows or "withdrawn" in said),
            "partial": any(result.check == PARTIAL and result.failed for result in verdict.results),
        }
        return tuple(note for note, holds in found.items() if holds)

    def _point(self, con: duckdb.DuckDBPyConnection, day: date, before: Current, after: Current) -> None:
        """Point the date at what is in force now. What leaves quarantine by it is written down first."""
        was, now = self._aside(con, day, before), self._aside(con, day, after)
        left = was.waiting - now.waiting - (now.discarded - was.discarded)
        if left:
            occasion = self._occasion
            entry = Entry(
                at=occasion.at.isoformat(),
                by=occasion.by,
                action=occasion.action,
                why=occasion.why,
                rows=dict(sorted(left.items())),
                before=_version(before),
                after=_version(after),
            )
            append(self._folder(day), entry)
        write_current(self._folder(day), after)

    def _aside(self, con: duckdb.DuckDBPyConnection, day: date, current: Current) -> SetAside:
        """The rows set aside in a date's version in force and in its refused attempt."""
        waiting, discarded = Counter[str](), Counter[str]()
        for each in (current.accepted, current.refused):
            if each is not None:
                found = set_aside(con, self._folder(day) / each.version, self._dataset.name, day)
                waiting, discarded = waiting | found.waiting, discarded | found.discarded
        return SetAside(waiting, discarded)

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
        if self._verdicts[day].quarantined or self._verdicts[day].discarded:
            _copy(
                con,
                f"select '{self._dataset.name}' as dataset, business_date, id, discarded, row, line, \"check\", "
                f"reason, content from quarantine where business_date = date '{day}' order by row, line, \"check\"",
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
            "raw": delivery.raw,
            "extracted_at": origin.extracted_at.isoformat(),
            "columns": list(delivery.columns),
            "types": list(delivery.types),
            "digest": digest,
            "rows": {
                "delivered": verdict.delivered,
                "accepted": self._accepted_sums.get(day, (0, 0, 0))[0] if refusal is None else 0,
                "quarantined": verdict.quarantined,
                "discarded": verdict.discarded,
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


def _version(current: Current) -> str | None:
    """The version of the newest attempt."""
    newest = current.refused or current.accepted
    return newest.version if newest else None


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
