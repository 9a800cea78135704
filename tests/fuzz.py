"""Deliveries made at random, good and bad, through the real intake: no traceback, no hang, no row that is lost.

`make fuzz` tries 10,000 of them, as many of each dataset, and prints what became of them; one that fails is made as
small as it can be and printed. `--seed` tries the same ones again. The suite tries a few (tests/test_fuzz.py).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import math
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from csperf import console
from csperf.datasets import DATASETS, Column, Dataset
from csperf.ingest import ingest
from csperf.landing import Partition, partition, read_manifest
from csperf.sources import open_source
from csperf.suites import load_suite
from tests.shop import AT, MESSAGES, ROSTER, SESSIONS, Deliveries, chat, person, said

DAYS = [date(2026, 9, day) for day in range(1, 8)]
HANG = 120  # seconds
# Each dataset's deliveries are tried in so many runs of their own: that is how far the bar moves at once.
RUNS = 2
TOLD = ("deliveries", "refused", "delivered", "accepted", "quarantined")
ODD = (
    *("", " ", "0", "-1", "1e999", "NaN", "Infinity", "-0.0", "99999999999999999999", "0x1F", "1_000", "٣", "1,5"),
    *("true", "NULL", "None", "2026-02-30", "2026-09-01T25:00:00", "2026-09-01T09:00:00+99:00", "0001-01-01"),
    *("9999-12-31", "9999-12-31T23:59:59.999999+08:00", "2026-13", "'; drop table x; --", '"', '""', "a\nb"),
    *("a\r\nb", "\t", "\\", "\0", "=1+1", "\u202eabc", "客户", "\ufeff", "E1", "NOBODY", "x" * 5000),
    *('{"a": 1}', "[1]", "{batch}", "%s", "$.x"),
)
GOOD: dict[str, tuple[str, ...]] = {
    "integer": ("1", "5", "0", "3.0"),
    "decimal": ("0", "8", "100", "12.5"),
    "boolean": ("true", "false"),
    "month": ("2026-09", "2026-08"),
}
KNOWN = {
    **{"agent_id": "E1", "employee_id": "E1", "session_id": "s1", "interaction_id": "s1"},
    **{"quarter": "2026Q3", "measure": "net_sales"},
}


@cache
def _allowed(dataset: str) -> dict[str, list[str]]:
    """The codes that a dataset's suite knows, by column."""
    rules = load_suite(dataset).rules
    return {rule.kwargs["column"]: rule.kwargs["value_set"] for rule in rules if "value_set" in rule.kwargs}


@dataclass(frozen=True)
class Delivered:
    """A file for a date. `rows` is how many rows it surely holds; None when its bytes were spoilt."""

    ending: str
    content: bytes
    rows: int | None


def _good(column: Column, dataset: Dataset, day: date, number: int) -> st.SearchStrategy[str]:
    if column.name == dataset.key[0] and column.name not in KNOWN:
        return st.just(f"k{number}")
    if column.name in _allowed(dataset.name):
        return st.sampled_from(_allowed(dataset.name)[column.name])
    if column.type in GOOD:
        return st.sampled_from(GOOD[column.type])
    if column.type == "date":
        return st.just(day.isoformat())
    if column.type == "timestamp":
        return st.sampled_from((f"{day}T09:00:00+08:00", f"{day} 23:59:59", f"{day}T08:30+08:00"))
    return st.just(KNOWN.get(column.name, "x"))


@st.composite
def deliveries(draw: st.DrawFn, dataset: Dataset, day: date) -> Delivered:
    """One delivery: rows of good and odd fields, in some format, whole or spoilt."""
    names = list(dataset.column_names)
    change = draw(st.sampled_from(("none",) * 9 + ("drop", "extra", "order")))
    if change == "drop":
        names.remove(draw(st.sampled_from(names)))
    elif change == "extra":
        names.append("note_of_the_vendor")
    elif change == "order":
        names = draw(st.permutations(names))
    rows: list[dict[str, str]] = []
    for number in range(draw(st.integers(0, 4))):
        row = dict.fromkeys(names, "x")
        for column in dataset.columns:
            if column.name in row:
                row[column.name] = draw(_good(column, dataset, day, number))
        for name in draw(st.lists(st.sampled_from(names), max_size=2)):
            row[name] = draw(st.sampled_from(ODD) | st.text(max_size=20))
        rows.append(row)
    ending = draw(st.sampled_from((".csv", ".csv", ".csv.gz", ".jsonl", ".jsonl.gz")))
    text = _csv(names, rows) if ending.startswith(".csv") else _jsonl(rows)
    content = text.encode("utf-8", "replace")
    spoilt = draw(st.sampled_from((False, False, False, True)))
    if spoilt:
        content = draw(_spoilt(content))
    if ending.endswith(".gz"):
        content = gzip.compress(content, 1)
        if draw(st.sampled_from((False,) * 7 + (True,))):
            content, spoilt = content[: len(content) // 2], True
    return Delivered(ending, content, None if spoilt else len(rows))


def _csv(names: list[str], rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(names)
    writer.writerows([row[name] for name in names] for row in rows)
    return text.getvalue()


def _jsonl(rows: list[dict[str, str]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows) or "\n"


@st.composite
def _spoilt(draw: st.DrawFn, content: bytes) -> bytes:
    """The bytes with some of them changed, put in, left out or cut off."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(content)))
        with_what = draw(st.sampled_from((b"", b'"', b"\n", b",", b"\0", b"\xff\xfe", b"{", b"\r", b"\xef\xbb\xbf")))
        skip = draw(st.sampled_from((0, 1, 1, 5, 100, len(content))))
        content = content[:at] + with_what + content[at + skip :]
    return content


@st.composite
def weeks(draw: st.DrawFn, names: tuple[str, ...] = tuple(sorted(DATASETS))) -> tuple[str, list[Delivered]]:
    """A dataset, one of `names`, and a week of deliveries of it."""
    dataset = DATASETS[draw(st.sampled_from(names))]
    return dataset.name, [draw(deliveries(dataset, day)) for day in DAYS]


def check(week: tuple[str, list[Delivered]], folder: Path) -> Counter[str]:
    """Take a week in; an AssertionError when a row is lost or something breaks. Returns TOLD, how many of each."""
    name, delivered = week
    shop = Deliveries(folder)
    shop.deliver("employees", DAYS[0], ROSTER, person("E1"))
    if name in ("chat_messages", "qa_reviews"):
        for day in DAYS:
            shop.deliver("chat_sessions", day, SESSIONS, chat(1, day))
    if name == "qa_reviews":
        shop.deliver("chat_messages", DAYS[0], MESSAGES, said(1))
    for day, each in zip(DAYS, delivered, strict=True):
        path = shop.root / name / f"{day}{each.ending}"
        path.parent.mkdir(exist_ok=True)
        path.with_name(f"{day}.csv").unlink(missing_ok=True)  # the good roster gives way to one made at random
        path.write_bytes(each.content)
    chosen = shop.settings(quarantine_limit=1)
    started = time.monotonic()
    report = ingest(chosen, open_source(chosen, str(shop.root)), DAYS, AT)
    assert time.monotonic() - started < HANG, "it took too long"
    assert report.failures == {}, report.failures
    for message in report.messages:
        assert "\n" not in message and "\0" not in message and len(message) < 3000, message
    told: Counter[str] = Counter()
    for day, each in zip(DAYS, delivered, strict=True):
        part = partition(chosen, name, day)
        assert part is not None, f"{day} is missing"
        told.update(_check_rows(part, each))
    return told


def _check_rows(part: Partition, each: Delivered) -> dict[str, int]:
    for path in {part.manifest_path, part.refused_manifest_path} - {None}:
        assert path is not None
        rows = read_manifest(path)["rows"]
        if read_manifest(path)["state"] == "accepted":
            assert rows["accepted"] + rows["quarantined"] + rows["discarded"] == rows["delivered"], rows
        if each.rows is not None and rows["delivered"]:
            assert rows["delivered"] == each.rows, (rows, each)
    if part.path is None:
        return {"deliveries": 1, "refused": 1}
    if each.rows is not None:
        assert part.rows + part.quarantined == each.rows, (part.rows, part.quarantined, each)
    with duckdb.connect() as con:
        found = con.execute("select count(*) from read_parquet(?)", [str(part.path)]).fetchone()
    assert found == (part.rows,)
    counts = {"accepted": part.rows, "quarantined": part.quarantined}
    return {"deliveries": 1, "delivered": read_manifest(part.manifest_path)["rows"]["delivered"], **counts}


def fuzz(
    examples: int, names: tuple[str, ...] = tuple(sorted(DATASETS)), start: int | None = None, **given_settings: Any
) -> Counter[str]:
    """Try so many weeks of deliveries of the datasets `names`, made from `start` if given; what became of them."""
    told: Counter[str] = Counter()

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), **given_settings)
    @given(weeks(names))
    def one(week: tuple[str, list[Delivered]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            told.update(check(week, Path(folder)))

    (one if start is None else seed(start)(one))()
    return told


def _run(asked: tuple[str, int, int]) -> tuple[str, Counter[str]]:
    name, run, examples = asked
    return name, fuzz(examples, (name,), run, database=None)


def main() -> None:
    """Try them all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deliveries", type=int, default=10_000, help="how many to try, at least")
    parser.add_argument("--workers", type=int, default=2, help="so many at once")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="the same number tries the same ones")
    asked = parser.parse_args()
    print(f"Seed {asked.seed}")
    examples = math.ceil(asked.deliveries / len(DAYS) / len(DATASETS) / RUNS)
    runs = [(name, asked.seed + 10**6 * run, examples) for run in range(RUNS) for name in sorted(DATASETS)]
    told: dict[str, Counter[str]] = {name: Counter() for name in sorted(DATASETS)}
    with console.bars() as progress, multiprocessing.get_context("spawn").Pool(asked.workers) as pool:
        for number, (name, counts) in enumerate(pool.imap_unordered(_run, runs), start=1):
            told[name].update(counts)
            progress("fuzz", number, len(runs))
    told["all"] = sum(told.values(), Counter())
    print(f"{'dataset':22}" + "".join(f"{heading:>13}" for heading in TOLD) + f"{'lost':>8}")
    for name, counts in told.items():
        lost = counts["delivered"] - counts["accepted"] - counts["quarantined"]
        print(f"{name:22}" + "".join(f"{counts[heading]:13,}" for heading in TOLD) + f"{lost:8,}")
    print("Nothing broke, and no row was lost.")
    if idle := [name for name, counts in told.items() if not counts["accepted"]]:
        print(f"No good row of {', '.join(idle)} was among them: try more.")


if __name__ == "__main__":
    main()
