"""One night of a large department, against what it must cost at least.

2,000 agents at work, about 240,000 chat sessions and 2.9 million messages. The whole `csperf run` of one date is
measured as a process of its own (time, and peak memory of it and its children), with one day of history and with
many, and beside it one hand-written DuckDB query that makes agent_daily from the same Parquet (floor.sql). Several
nights are measured in turn, short, floor, long, and the medians compared, for a machine's speed drifts.
Limits: whole run at most 3 x floor + 30 s, peak at most 2 GB, long history at most 1.2 x short.

    python bench/night.py [--history DAYS] [--nights N] [--work DIR] [--prepare]

The long history takes an hour to make. `--prepare --work DIR` makes it and stops; the same call without it measures,
and leaves the folder as it is for the next N nights to be measured another time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
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

FIRST_NIGHT = date(2026, 6, 24)
NIGHTS_AT_LEAST = 6  # deliveries written beyond the history, so that a kept folder can be measured again
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
    contacts = SESSIONS_EACH / day_factor(usual, SEED, FIRST_NIGHT)
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


def csperf_run(home: Path, source: Path, first: date, last: date) -> Measured:
    """`csperf run` over dates as a process of its own."""
    environment = os.environ | {"CSPERF_HOME": str(home), "CSPERF_LOOKBACK_DAYS": str(LOOKBACK)}
    command = [sys.executable, "-m", "csperf", "run", "--source", str(source)]
    return measure([*command, "--from", str(first), "--to", str(last)], environment)


def prepare(home: Path, source: Path, history: int) -> None:
    """Land and build the days before the first measured night; where that was done before, by today's code again."""
    mark = home / "prepared"
    if mark.exists():
        day = date.fromisoformat(mark.read_text()) - timedelta(days=1)
        csperf_run(home, source, day, day)
        return
    shutil.rmtree(home, ignore_errors=True)
    csperf_run(home, source, FIRST_NIGHT - timedelta(days=history), FIRST_NIGHT - timedelta(days=1))
    mark.write_text(str(FIRST_NIGHT))


def night(home: Path, source: Path) -> tuple[date, Measured]:
    """Measure the next night that this home has not seen."""
    mark = home / "prepared"
    day = date.fromisoformat(mark.read_text())
    measured = csperf_run(home, source, day, day)
    if "Built from nothing" in measured.printed:
        sys.exit("The night rebuilt everything: csperf was changed since the history was made. Make it anew.")
    mark.write_text(str(day + timedelta(days=1)))
    return day, measured


def floor(home: Path, day: date) -> Measured:
    """The hand-written query on what a night has landed."""
    script = Path(__file__).with_name("floor.py")
    environment = os.environ | {"CSPERF_HOME": str(home)}
    return measure([sys.executable, str(script), str(day), str(home / "floor.parquet")], environment)


def write_source(source: Path, history: int, nights: int) -> None:
    """The company's deliveries up to the last night that will be measured, unless they are there."""
    last = FIRST_NIGHT + timedelta(days=nights - 1)
    if not (source / "chat_messages" / f"{last}.parquet").exists():
        write_demo(source, PEOPLE, FIRST_NIGHT - timedelta(days=history), last, SEED, None, profile(), "parquet")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=int, default=60, help="days of the long history")
    parser.add_argument("--nights", type=int, default=3, help="nights measured; the medians count")
    parser.add_argument("--work", type=Path, default=None, help="folder for the files (several GB); it is kept")
    parser.add_argument("--prepare", action="store_true", help="make the histories and stop")
    arguments = parser.parse_args()
    work = arguments.work or Path(tempfile.mkdtemp(prefix="csperf-bench-"))
    try:
        source, short, long = work / "source", work / "short", work / "long"
        write_source(source, arguments.history, max(arguments.nights, NIGHTS_AT_LEAST))
        prepare(short, source, 1)
        prepare(long, source, arguments.history)
        if not arguments.prepare:
            print_table(source, short, long, arguments.history, arguments.nights)
    finally:
        if arguments.work is None:
            shutil.rmtree(work, ignore_errors=True)


def print_table(source: Path, short: Path, long: Path, history: int, nights: int) -> None:
    """Measure so many nights in turn and print medians and verdicts."""
    found: dict[str, list[Measured]] = {"floor": [], "short": [], "long": []}
    for _ in range(nights):
        day, measured = night(short, source)
        found["short"].append(measured)
        found["floor"].append(floor(short, day))
        found["long"].append(night(long, source)[1])
    seconds = {name: statistics.median(one.seconds for one in runs) for name, runs in found.items()}
    rows = [
        ("floor: one query", "floor", ""),
        ("night, 1 day of history", "short", _verdict(seconds["short"], 3 * seconds["floor"] + 30, "3 x floor + 30 s")),
        (f"night, {history} days of history", "long", _verdict(seconds["long"], 1.2 * seconds["short"], "1.2 x short")),
    ]
    print(f"{'':32}{'median s':>9}{'min':>8}{'max':>8}{'peak MB':>9}")
    for label, name, note in rows:
        each = [one.seconds for one in found[name]]
        peak = max(one.peak_mb for one in found[name])
        print(f"{label:32}{seconds[name]:9.1f}{min(each):8.1f}{max(each):8.1f}{peak:9.0f}  {note}")
    highest = max(one.peak_mb for runs in found.values() for one in runs)
    print(f"{'highest peak':32}{'':25}{highest:9.0f}  limit 2,000 MB: {'kept' if highest <= 2000 else 'MISSED'}")


def _verdict(seconds: float, limit: float, rule: str) -> str:
    return f"limit {limit:.1f} s ({rule}): {'kept' if seconds <= limit else 'MISSED'}"


if __name__ == "__main__":
    main()
