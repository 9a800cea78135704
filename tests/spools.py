"""Spools made by hand, for tests that start behind the sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from csperf.datasets import DATASETS
from csperf.sources.spool import Delivery, Spool, Unparsed, spool_columns


def make_spool(
    folder: Path,
    dataset: str,
    rows: Sequence[tuple[date, Mapping[str, Any]]],
    dates: Sequence[date] = (),
    unparsed: Sequence[Unparsed] = (),
) -> Spool:
    """The rows of some dates as a source would hand them over; columns left out of a row are empty.

    `dates` are delivered even without a row.
    """
    folder.mkdir(parents=True)
    spool = Spool(DATASETS[dataset], folder, unparsed=list(unparsed))
    columns = spool_columns(spool.dataset)
    counts = dict.fromkeys(sorted({*dates, *(day for day, _ in rows)}), 0)
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'Asia/Shanghai'")
        con.execute(f"create table spool ({', '.join(f'{name} {type_}' for name, type_ in columns)})")
        values = []
        for day, row in rows:
            counts[day] += 1
            full = {**row, "_business_date": day, "_row": counts[day]}
            values.append([full.get(name.strip('"')) for name, _ in columns])
        if values:
            con.execute("begin")
            con.executemany(f"insert into spool values ({', '.join('?' * len(columns))})", values)
            con.execute("commit")
        spool.rows.append(folder / "rows.parquet")
        con.execute(f"copy spool to '{spool.rows[0]}' (format parquet)")
    for day, count in counts.items():
        spool.deliveries[day] = Delivery(day, f"{dataset}/{day}.csv", list(spool.dataset.column_names), count)
    return spool
