"""Schema `quality` of the warehouse: what the checks of each delivery found, taken from the landing zone, and what the
release gate found in each month's drafts and revisions, taken from the record."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from csperf.landing import QUARANTINE, Partition, quarantine_sql, read_manifest
from csperf.settings import Settings

# One row a rule and version of a date; `in_force` is false for a delivery that was refused.
_RESULTS = (
    'dataset varchar, business_date date, version varchar, in_force boolean, "check" varchar, severity varchar, '
    "reason varchar, checked_rows bigint, failed_rows bigint, message varchar"
)
# One row a reason: a row that breaks two rules stands twice. `row_id` is the id that csperf quarantine names a row by,
# `discarded` whether somebody waived it for good. `row` counts within its delivery from 1; what could not be read as a
# row at all has its `line` in the file and its raw text.
_QUARANTINE = (
    'dataset varchar, business_date date, version varchar, in_force boolean, "row" bigint, line bigint, '
    '"check" varchar, reason varchar, row_json varchar, row_id varchar, discarded boolean'
)


def load_quality(con: duckdb.DuckDBPyConnection, settings: Settings, partitions: Sequence[Partition]) -> int:
    """Fill `quality.results` and `quality.quarantine` for the versions that are new; returns how many those are.

    Kept are the version in force of each date and the last refused attempt; rows of older versions go.
    """
    con.execute("create schema if not exists quality")
    con.execute(f"create table if not exists quality.results ({_RESULTS})")
    con.execute(f"create table if not exists quality.quarantine ({_QUARANTINE})")
    con.execute(
        "create table if not exists quality.loaded (dataset varchar, business_date date, version varchar, "
        "in_force boolean)"
    )
    wanted = {}
    for part in partitions:
        if part.version is not None:
            wanted[part.dataset, part.business_date, part.version, True] = part.manifest_path
        if part.refused_manifest_path is not None and part.current.refused is not None:
            key = (part.dataset, part.business_date, part.current.refused.version, False)
            wanted[key] = part.refused_manifest_path
    loaded = set(con.execute("select dataset, business_date, version, in_force from quality.loaded").fetchall())
    gone, new = loaded - wanted.keys(), wanted.keys() - loaded
    if not gone and not new:
        return 0
    con.execute("begin")
    try:
        for dataset, business_date, version, in_force in sorted(gone):
            for table in ("results", "quarantine", "loaded"):
                con.execute(
                    f"delete from quality.{table} where dataset = ? and business_date = ? and version = ? "
                    "and in_force = ?",
                    [dataset, business_date, version, in_force],
                )
        results: list[tuple[object, ...]] = []
        for key in sorted(new):
            manifest = read_manifest(wanted[key])
            results += [
                (*key, each["check"], each["severity"], each["reason"], each["rows"], each["failed"], None)
                for each in manifest["results"]
            ]
            if not key[3]:
                message = manifest["message"]
                results.append((*key, "delivery", "block", "the delivery was refused", None, None, message))
            rows = wanted[key].parent / QUARANTINE
            if rows.exists():
                con.execute(
                    'insert into quality.quarantine select ?, ?, ?, ?, "row", line, "check", reason, content, id, '
                    f"discarded from {quarantine_sql(con, rows, key[0], key[1])}",
                    list(key),
                )
        insert_rows(con, "quality.results", _RESULTS, results)
        insert_rows(
            con,
            "quality.loaded",
            "dataset varchar, business_date date, version varchar, in_force boolean",
            sorted(new),
        )
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return len(new)


PAYROLL = "payroll"
"""The dataset that the release gate's results stand under; their version is the revision, or `draft`."""

_RELEASE = f"""
    with newest as (
        select pay_month, max(revision) as revision from published.release_checks
        where status = 'published' group by pay_month
    )
    select '{PAYROLL}' as dataset, last_day(cast(pay_month || '-01' as date)) as business_date,
        if(status = 'published', printf('rev-%03d', checks.revision), 'draft') as version,
        status = 'published' and checks.revision = newest.revision as in_force,
        check_name, severity, reason, checked_rows, failed_rows, null::varchar as message
    from published.release_checks as checks left join newest using (pay_month)
"""


def load_release_checks(con: duckdb.DuckDBPyConnection) -> None:
    """Bring the release gate's results in `quality.results` up to schema `published`; nothing is written without need.

    In force are those of each month's newest published revision.
    """
    there = f"select * from quality.results where dataset = '{PAYROLL}'"
    differences = f"select count(*) from ((({there}) except ({_RELEASE})) union all (({_RELEASE}) except ({there})))"
    if con.execute(differences).fetchone() == (0,):
        return
    con.execute("begin")
    con.execute(f"delete from quality.results where dataset = '{PAYROLL}'")
    con.execute(f"insert into quality.results {_RELEASE}")
    con.execute("commit")


def insert_rows(con: duckdb.DuckDBPyConnection, table: str, columns: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Append many rows at once; `columns` is the table's column list as in its create statement."""
    if rows:
        lists = ", ".join(f"unnest(cast(? as {part.split()[1]}[]))" for part in columns.split(", "))
        con.execute(f"insert into {table} select {lists}", [list(column) for column in zip(*rows, strict=True)])
