"""Runs floor.sql on one landed date: `python floor.py DATE OUT`, with csperf's own settings for DuckDB."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import duckdb

from csperf.landing import partitions
from csperf.settings import load_settings


def main() -> None:
    day, out = date.fromisoformat(sys.argv[1]), sys.argv[2]
    settings = load_settings()
    paths = {p.dataset: str(p.path) for p in partitions(settings) if p.business_date == day}
    query = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    with duckdb.connect(config={"memory_limit": settings.memory_limit, "threads": settings.threads}) as con:
        con.execute(query.format(out=out, **paths))


if __name__ == "__main__":
    main()
