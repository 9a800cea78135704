"""A landed delivery put back into a spool, to be checked again; its quarantined rows, on request, read anew.

A row that was set aside comes back in the types it was given then. Read anew, its raw text is put through what turns
deliveries into the contract's types today: for rows of a mapping its rules and its select, where that gave `_source`
(the row as it came), else the reading of fields alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping as Dictionary
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from csperf.datasets import Dataset
from csperf.errors import CsperfError
from csperf.landing import QUARANTINE, SET_ASIDE, Partition, read_manifest, read_parquet_sql
from csperf.settings import Settings
from csperf.sources.collect import BUSINESS_DATE
from csperf.sources.convert import connect, copy_parquet, ident, quote, typed_select
from csperf.sources.mapping import Mapping
from csperf.sources.selects import FILE, LINE, SOURCE, judge, select_rows
from csperf.sources.spool import DATE, RAW, ROW, Delivery, Spool, Unparsed, spool_columns
from csperf.sources.texts import Unreadable
from csperf.storage import private_dir

# Numbers of rows that no delivery reaches.
NUMBERED_FROM = 10**12


class Unreplayable(CsperfError):
    """Quarantined rows that cannot be read anew without their source; the text says why."""


def respool(
    settings: Settings, part: Partition, spool: Spool, mappings: Dictionary[str, Mapping] | None = None
) -> dict[str, Any]:
    """Put a date's version in force into a spool as it was extracted; returns its manifest.

    With `mappings` (by name, none are needed for what came without one) the quarantined rows are read anew.
    Unreplayable, and nothing is put into the spool, when that cannot be done.
    """
    assert part.path is not None
    manifest, version, dataset = read_manifest(part.manifest_path), part.path.parent, spool.dataset
    target = private_dir(spool.folder) / f"{part.business_date}.parquet"
    skipped = dict(manifest["rows"]["skipped"])
    with connect(settings, spool.folder, part.folder) as con:
        names = ", ".join(f'"{name}"' for name in dataset.column_names)
        parts = [
            f"select date '{part.business_date}' as {DATE}, {ROW}, {names}, cast(null as varchar) as _bad, "
            f"cast(null as varchar) as {RAW} from {read_parquet_sql([part.path])}"
        ]
        if (version / SET_ASIDE).exists():
            con.execute(f"create temp table aside as from {read_parquet_sql([version / SET_ASIDE])}")
            if mappings is not None:
                mapping = mappings.get(mapping_of(manifest) or "")
                _read_anew(con, dataset, part.business_date, manifest, mapping, skipped)
            parts.append("select * from aside")
        if (version / QUARANTINE).exists():
            spool.unparsed += _lines(con, version / QUARANTINE, part.business_date)
        copy_parquet(con, f"{' union all '.join(parts)} order by {ROW}", str(target))
        counted = con.execute(f"select count(*) from {read_parquet_sql([target])}").fetchone()
    spool.rows.append(target)
    spool.deliveries[part.business_date] = Delivery(
        part.business_date,
        manifest["origin"],
        manifest["columns"],
        counted[0] if counted else 0,
        skipped,
        types=manifest.get("types", []),
        raw=manifest.get("raw", "row"),
    )
    return manifest


def mapping_of(manifest: Dictionary[str, Any]) -> str | None:
    """The name of the mapping that a delivery came by, None when it came by none."""
    words = str(manifest["source"]).split()
    return words[1] if words[:1] == ["mapping"] and len(words) > 1 else None


def _lines(con: duckdb.DuckDBPyConnection, path: Path, day: date) -> list[Unparsed]:
    lines = con.execute(f"select line, content, reason from {read_parquet_sql([path])} where row is null").fetchall()
    return [Unparsed(day, line, json.loads(raw), reason) for line, raw, reason in lines]


def _read_anew(
    con: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    day: date,
    manifest: Dictionary[str, Any],
    mapping: Mapping | None,
    skipped: dict[str, int],
) -> None:
    """Put the rows of `aside` that have a raw text through today's reading; rows without one stay as they are."""
    name, fields = mapping_of(manifest), ", ".join(column for column, _ in spool_columns(dataset))
    found = con.execute(f"select count(*) from aside where {RAW} is not null").fetchone()
    if not found or not found[0]:
        return
    if name is not None and manifest.get("raw") != "source":
        raise Unreplayable(
            f"the mapping {name} does not give {SOURCE}, so its rows are not kept as they came; run the date again "
            "from the source"
        )
    if name is not None and (mapping is None or dataset.name not in mapping.datasets):
        raise Unreplayable(f"its rows came by the mapping {name}; name that mapping with --source")
    keys = [
        row[0]
        for row in con.execute(
            f"select distinct unnest(json_keys({RAW})) from aside where {RAW} is not null order by 1"
        ).fetchall()
    ]
    paths = ", ".join(quote("$." + ident(key)) for key in keys)
    con.execute(
        f"create temp table texts as select {ROW} as _old, {RAW} as {SOURCE}, "
        f"json_extract_string({RAW}, [{paths}]) as v from aside where {RAW} is not null"
    )
    con.execute(f"create temp table anew as select {fields} from aside limit 0")
    if name is None:
        delivered = [(key, f"v[{index}]", "VARCHAR") for index, key in enumerate(keys, start=1)]
        delivered += [
            (column, "cast(null as varchar)", "VARCHAR") for column in dataset.column_names if column not in keys
        ]
        dated = f"date {quote(str(day))}"
        con.execute(f"insert into anew {typed_select(dataset, 'texts', delivered, dated, row='_old', raw=SOURCE)}")
    else:
        assert mapping is not None
        _map_anew(con, dataset, day, mapping, keys, skipped)
    # A row keeps its number; those that a select makes of one row beside the first get numbers of their own.
    con.execute(
        f"""create temp table numbered as
        with again as (select *, row_number() over (partition by {RAW} order by {ROW}) as _copy from anew),
        before as (select _old, {SOURCE}, row_number() over (partition by {SOURCE} order by _old) as _copy from texts)
        select again.* exclude (_copy) replace (coalesce(before._old, {NUMBERED_FROM} + row_number() over ()) as {ROW})
        from again left join before on before.{SOURCE} = again.{RAW} and before._copy = again._copy"""
    )
    con.execute(f"delete from aside where {RAW} is not null")
    con.execute(f"insert into aside select {fields} from numbered")


def _map_anew(
    con: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    day: date,
    mapping: Mapping,
    keys: list[str],
    skipped: dict[str, int],
) -> None:
    """The source rows in `texts` by the mapping as it is now: its rules, then its select."""
    mapped = mapping.datasets[dataset.name]
    items = [
        f"cast(v[{index}] as bigint) as {LINE}" if key == LINE else f"v[{index}] as {ident(key)}"
        for index, key in enumerate(keys, start=1)
    ]
    items += [f"null as {name}" for name in (LINE, FILE) if name not in keys]
    con.execute(f"create or replace temp table raw as select {', '.join(items)}, {SOURCE} from texts order by _old")
    try:
        for action, reason in judge(con, mapped):
            selected = select_rows(con, dataset, mapping.name, mapped, [day], action, reason)
            if SOURCE not in dict(selected):
                raise Unreadable(f"its select does not give {SOURCE} any more")
            if action == "skip":
                counted = con.execute("select count(*) from selected").fetchone()
                if counted and counted[0]:
                    skipped[reason] = skipped.get(reason, 0) + counted[0]
                continue
            delivered = [
                (name, ident(name), native) for name, native in selected if name not in (BUSINESS_DATE, SOURCE)
            ]
            dated = f"date {quote(str(day))}"
            con.execute(
                "insert into anew "
                + typed_select(dataset, "selected", delivered, dated, reason=reason or None, raw=SOURCE)
            )
    except (duckdb.Error, Unreadable) as error:
        first = str(error).strip().splitlines()[0].rstrip(".")
        raise Unreplayable(f"the mapping {mapping.name} cannot be applied to its rows: {first}") from None
