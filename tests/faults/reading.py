"""Readers of the BI copy while it is published again and again: each read is of one version, none fails."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import duckdb

from csperf import serving
from csperf.settings import Settings
from csperf.storage import private_dir
from tests.faults.results import Result

# Two tables that agree in every version: `wide` holds the version's number in each of its rows, `narrow` their sum.
ROWS = 5_000
WRITE = f"""
begin;
create schema if not exists scorecards;
create or replace table scorecards.wide as select {{number}} as version, n from range({ROWS}) t(n);
create or replace table scorecards.narrow as select {{number}} as version, {{number}} * {ROWS} as total;
commit
"""
READ = (
    "select (select min(version) from scorecards.wide), (select max(version) from scorecards.wide), "
    "(select sum(version) from scorecards.wide), (select total from scorecards.narrow), "
    "(select version from scorecards.narrow)"
)
# A reader that keeps the copy open from the first version to the last, and one that opens it anew each time.
READER = """
import duckdb, json, pathlib, sys
path, ready, stop, keep, read = sys.argv[1], *map(pathlib.Path, sys.argv[2:4]), sys.argv[4] == "keep", sys.argv[5]
seen, wrong, con = [], [], None
while True:
    last = stop.exists()
    try:
        con = con if keep and con else duckdb.connect(path, read_only=True)
        low, high, total, told, version = con.execute(read).fetchone()
        if not low == high == version or total != told:
            wrong.append(f"a mixed read: {low} to {high}, {total} for {told}, version {version}")
        seen.append(version)
    except duckdb.Error as error:
        wrong.append(str(error))
    if not keep and con:
        con.close()
    ready.touch()
    if last:
        break
print(json.dumps([seen, wrong]))
"""


def readers(folder: Path, publications: int) -> Result:
    """Publish so many versions while both readers read."""
    result = Result("publication under readers of the BI copy")
    settings = Settings(home=folder / "bi" / "home")
    _publish(settings, 0)
    stop = folder / "bi" / "stop"
    started = {}
    for kind in ("keep", "anew"):
        ready = folder / "bi" / kind
        command = [sys.executable, "-c", READER, str(settings.serving_path), str(ready), str(stop), kind, READ]
        started[kind] = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        while not ready.exists():
            time.sleep(0.01)
    for number in range(1, publications + 1):
        _publish(settings, number)
    stop.touch()
    for kind, process in started.items():
        seen, wrong = json.loads(process.communicate(timeout=120)[0])
        result.wrong += [f"{kind}: {each}" for each in wrong]
        if kind == "keep" and set(seen) != {0}:
            result.wrong.append(f"an open copy changed under its reader: {sorted(set(seen))}")
        if kind == "anew" and (seen != sorted(seen) or seen[-1] != publications or len(set(seen)) < 3):
            result.wrong.append(f"the newest version was not seen in turn: {seen[:3]} … {seen[-3:]}")
    result.times = publications
    return result


def _publish(settings: Settings, number: int) -> None:
    private_dir(settings.warehouse_path.parent)
    with duckdb.connect(str(settings.warehouse_path)) as con:
        con.execute(WRITE.format(number=number))
    assert serving.publish(settings).written
