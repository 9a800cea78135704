"""A tiny company, its home before and after each step, and what a disturbed home has lost or doubled against that."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb

from csperf import nightly
from csperf.demo import write_demo
from csperf.settings import Settings
from tests.faults.forked import Ended
from tests.faults.steps import FIRST, NIGHT, WHEN, run

PEOPLE, SEED = 4, 3
DELIVERED = ("employees", "attendance", "chat_sessions", "chat_messages", "qa_reviews")
ORDER = ("night", "close_quarter", "close_month", "backfill")
PLACE = "/[^, ]*/landing/"  # where a home lies is told in tables of the build, and is no difference
RECORDS = ("landing", "policies", "payroll", "tiers")
Contents = Mapping[str, Counter[str]]


@dataclass(frozen=True)
class Difference:
    """Rows and files that are missing, and those that are too many (a file that differs is both)."""

    lost: int
    doubled: int
    where: tuple[str, ...]


class Company:
    """Homes in `root`: `home(step)` is a fresh copy of the one that a step starts from."""

    def __init__(self, root: Path, steps: Sequence[str] = ORDER) -> None:
        self.root, self.steps = root, steps
        self.seconds: dict[str, float] = {}
        self._after: dict[str, Contents] = {}
        self._number = 0

    def prepare(self) -> Company:
        """Write the deliveries, land and build the days before the night, and run each step undisturbed.

        A folder that was prepared before, by the same code, is taken as it is.
        """
        mark = self.root / "seconds.json"
        if mark.exists():
            self.seconds = json.loads(mark.read_text())
            for step in self.steps:
                self._after[step] = contents(Settings(home=self._after_step(step)))
            return self
        source = self.root / "source"
        write_demo(source, PEOPLE, FIRST, NIGHT, SEED)
        for folder in source.iterdir():
            if folder.is_dir() and folder.name not in DELIVERED:
                shutil.rmtree(folder)
        corrected = self.root / "corrected"
        shutil.copytree(source, corrected)
        _correct(corrected / "attendance" / f"{NIGHT - timedelta(days=1)}.csv")
        start = Settings(home=self._before("night"), source=str(source))
        nightly.run(start, FIRST, NIGHT - timedelta(days=1), extracted_at=WHEN)
        for step in self.steps:
            settings = self.home(step)
            done, told = run(step, settings)
            assert done.code == 0, told
            self.seconds[step] = done.seconds
            self._after[step] = contents(settings)
            settings.home.rename(self._after_step(step))
            self.drop(settings)
        assert len({str(each) for each in self._after.values()}) == len(self.steps), "a step that changes nothing"
        mark.write_text(json.dumps(self.seconds))
        return self

    def home(self, step: str) -> Settings:
        """A copy of the home that a step starts from, and the deliveries that it reads."""
        self._number += 1
        home = self.root / f"{os.getpid()}-{self._number:04d}" / "home"
        shutil.copytree(self._before(step), home)
        return Settings(home=home, source=str(self.root / ("corrected" if step == "backfill" else "source")))

    def difference(self, step: str, settings: Settings, timeless: bool = False) -> Difference:
        """What a home lacks, or has too much of, against the one after an undisturbed step.

        `timeless`: but for the times at which deliveries were extracted, in their manifests.
        """
        if timeless:
            after = Settings(home=self._after_step(step))
            return difference(contents(after, timeless), contents(settings, timeless))
        return difference(self._after[step], contents(settings))

    def drop(self, settings: Settings) -> None:
        """Remove a home that was looked at."""
        shutil.rmtree(settings.home.parent)

    def _after_step(self, step: str) -> Path:
        return self.root / "after" / step

    def _before(self, step: str) -> Path:
        """The home that a step starts from: the one after the step before it."""
        return self._after_step(["start", *ORDER][ORDER.index(step)])


def contents(settings: Settings, timeless: bool = False) -> Contents:
    """All rows of all tables of the warehouse and the BI copy, and the bytes of all records, as digests by where."""
    found: dict[str, Counter[str]] = {}
    for name, path in (("warehouse", settings.warehouse_path), ("bi", settings.serving_path)):
        if path.exists():
            with duckdb.connect(str(path), read_only=True) as con:
                found |= {f"{name} {table}": rows for table, rows in _tables(con).items()}
    for folder in RECORDS:
        for path in sorted((settings.home / folder).rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                if timeless and path.name == "manifest.json":
                    content = re.sub(rb'"extracted_at": "[^"]*"', b"", content)
                digest = hashlib.sha256(content).hexdigest()
                found[str(path.relative_to(settings.home))] = Counter([digest])
    return found


def difference(expected: Contents, found: Contents) -> Difference:
    """Compare two homes' contents."""
    names = sorted({*expected, *found})
    lost = {name: expected.get(name, Counter()) - found.get(name, Counter()) for name in names}
    doubled = {name: found.get(name, Counter()) - expected.get(name, Counter()) for name in names}
    where = tuple(name for name in names if lost[name] or doubled[name])
    return Difference(sum(c.total() for c in lost.values()), sum(c.total() for c in doubled.values()), where)


def _tables(con: duckdb.DuckDBPyConnection) -> dict[str, Counter[str]]:
    names = con.execute(
        "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE' order by all"
    ).fetchall()
    found = {}
    for schema, name in names:
        # The digest of the whole state and the copy's stamp hold paths and times of files.
        if (schema, name) == ("main", "source"):
            continue
        where = "where name <> 'state'" if (schema, name) == ("control", "info") else ""
        text = f"regexp_replace(cast(whole as varchar), '{PLACE}', 'landing/', 'g')"
        rows = con.execute(
            f'select md5({text}), count(*) from "{schema}"."{name}" as whole {where} group by 1'
        ).fetchall()
        found[f"{schema}.{name}"] = Counter(dict(rows))
    return found


def _correct(path: Path) -> None:
    """A day of everybody's turns out to have been unpaid leave."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["status"] == "present":
            row |= {"status": "unpaid_leave", "worked_hours": "0"}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def check_end(step: str, ended: tuple[Ended, str]) -> str | None:
    """What is wrong with how a step ended that should have ended well."""
    done, told = ended
    return None if done.code == 0 else f"{step} ended with {done.code}: {told.strip()[-500:]}"
