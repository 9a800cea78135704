"""One night of a large department, against what it must cost at least.

2,000 agents at work, about 240,000 chat sessions and 2.9 million messages. The whole `csperf run` of one date is
measured as a process of its own (time, and peak memory of it and its children), once with one day of history and once
with many, and beside it one hand-written DuckDB query that makes agent_daily from the same Parquet (floor.sql).
Limits: whole run at most 3 x floor + 30 s, peak at most 2 GB, long history at most 1.2 x short.

    python bench/night.py [--history DAYS] [--work DIR] [--keep]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import psutil

from csperf.demo import load_profile, write_demo
from csperf.demo.contacts import day_factor
from csperf.demo.profile import Profile

NIGHT = date(2026, 6, 30)
SEED = 1
PEOPLE = 2900  # of whom about 2,000 take chats on a day
SESSIONS_EACH = 117
LOOKBACK = 1  # the same work is re-read whether there is one day of history or sixty


@dataclass(frozen=True)
class Measured:
    """Wall seconds of a process, the peak of the resident memory of it and its children in MB, what it printed."""

    seconds: float
    peak_mb: float
    printed: str


def profile() -> Profile:
    """A department of chat agents, with a few on the telephone; long chats."""
    usual = load_profile()
    contacts = SESSIONS_EACH / day_factor(usual, SEED, NIGHT)
    posts = {
        "basic": {"share": 0.70, "contacts": contacts, "prefix": "基础"},
        "vip": {"share": 0.27, "contacts": contacts, "prefix": "贵宾"},
        "voice": {"share": 0.03, "contacts": 48, "prefix": "话务"},
    }
    return load_profile(posts=posts, exchanges=3.75)


def measure(command: list[str], environment: dict[str, str]) -> Measured:
    """Run a command to its end and watch it."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        peak = 0
        while process.poll() is None:
            peak = max(peak, _resident(process.pid))
            time.sleep(0.05)
        seconds = time.perf_counter() - started
        output.seek(0)
        printed = output.read().decode()
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{printed}")
    return Measured(seconds, peak / 1e6, printed)


def _resident(pid: int) -> int:
    try:
        parent = psutil.Process(pid)
        return sum(_rss(process) for process in (parent, *parent.children(recursive=True)))
    except psutil.NoSuchProcess:
        return 0


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def night(home: Path, source: Path, history: int) -> Measured:
    """Land and build `history` days into a new home, then measure the night after them."""
    environment = os.environ | {"CSPERF_HOME": str(home), "CSPERF_LOOKBACK_DAYS": str(LOOKBACK)}
    first = NIGHT - timedelta(days=history)
    csperf = [sys.executable, "-m", "csperf", "run", "--source", str(source)]
    measure([*csperf, "--from", str(first), "--to", str(NIGHT - timedelta(days=1))], environment)
    measured = measure([*csperf, "--from", str(NIGHT), "--to", str(NIGHT)], environment)
    if "Built from nothing" in measured.printed:
        sys.exit("The night rebuilt everything: csperf was changed while the bench ran. Start it again.")
    return measured


def floor(home: Path) -> Measured:
    """The hand-written query on what the night has landed."""
    script = Path(__file__).with_name("floor.py")
    environment = os.environ | {"CSPERF_HOME": str(home)}
    return measure([sys.executable, str(script), str(NIGHT), str(home / "floor.parquet")], environment)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=int, default=60, help="days of the long history")
    parser.add_argument("--work", type=Path, default=None, help="folder for the files (several GB)")
    parser.add_argument("--keep", action="store_true", help="keep the files, and use those of a former run")
    arguments = parser.parse_args()
    work = arguments.work or Path(tempfile.mkdtemp(prefix="csperf-bench-"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        _run(work, arguments.history)
    finally:
        if not arguments.keep:
            shutil.rmtree(work, ignore_errors=True)


def _run(work: Path, history: int) -> None:
    source = work / "source"
    if not (source / "chat_messages" / f"{NIGHT}.parquet").exists():
        write_demo(source, PEOPLE, NIGHT - timedelta(days=history), NIGHT, SEED, None, profile(), "parquet")
    for name in ("short", "long"):
        shutil.rmtree(work / name, ignore_errors=True)
    short = night(work / "short", source, 1)
    least = floor(work / "short")
    long = night(work / "long", source, history)
    limit = 3 * least.seconds + 30
    rows = [
        ("floor: one query", least, ""),
        ("night, 1 day of history", short, _verdict(short.seconds, limit, "3 x floor + 30 s")),
        (f"night, {history} days of history", long, _verdict(long.seconds, 1.2 * short.seconds, "1.2 x short")),
    ]
    print(f"{'':32}{'seconds':>9}{'peak MB':>9}")
    for name, measured, note in rows:
        print(f"{name:32}{measured.seconds:9.1f}{measured.peak_mb:9.0f}  {note}")
    print(f"{'highest peak':32}{'':9}{max(row[1].peak_mb for row in rows):9.0f}  limit 2,000 MB")


def _verdict(seconds: float, limit: float, rule: str) -> str:
    return f"limit {limit:.1f} s ({rule}): {'kept' if seconds <= limit else 'MISSED'}"


if __name__ == "__main__":
    main()
