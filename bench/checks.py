"""One day of a million chat messages, one in a hundred of them bad, against reading the same file with pandas.

Each part is a process of its own that says what it took, after it has worked on the day's roster and sessions, which
come before the messages in a night as well:

- pandas' `read_csv` of the file: the times are still text, and nothing can be said of their order;
- the same and the times made instants, those that are none left empty: what a check starts from;
- csperf's whole intake of the date (read, check by Great Expectations, every bad row found with its reason, landed as
  Parquet), of which the check is told apart.

They are measured in turn and the medians compared. Limits: the check at most 3 x the reading by pandas with its times,
peak of the intake at most 1.5 GB. The ratio to the reading as text is printed as well.

    python -m bench.checks [--messages N] [--times N]
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

DAY = date(2026, 9, 1)
WHEN = datetime(2026, 9, 2, tzinfo=UTC)
MESSAGES, EACH = 1_000_000, 10  # messages in all, and of a session
BAD = 100  # one in so many rows is bad, in four ways by turns
RATIO, PEAK_MB = 3.0, 1500


def write_company(folder: Path, messages: int) -> None:
    """The deliveries of the day: people, sessions, and messages of which one in BAD breaks a rule."""
    start = f"timestamptz '{DAY} 08:00:00+08'"
    sessions = messages // EACH
    tables = {
        "employees": "select 'E' || n as employee_id, 'Demo ' || n as name, 'basic' as post, 'junior' as grade, "
        "'T' as team, null as lead_id, 'full_time' as employment, 'college' as education, 'Wuhan' as city, "
        "'cs_2017' as plan, null as base_salary, '2025-01-01' as hire_date, '2025-01-01' as grade_since, "
        "null as leave_date from range(100) t(n)",
        "chat_sessions": "select 'S' || lpad(n::varchar, 8, '0') as session_id, 'E' || (n % 100) as agent_id, 'C' || n "
        f"as customer_id, 'web' as channel, strftime({start} + n * interval '0.2 second', '%Y-%m-%dT%H:%M:%S+08:00') "
        f"as started_at, null as ended_at, true as resolved, 5 as csat from range({sessions}) t(n)",
        "chat_messages": f"""
            select case when n % {4 * BAD} = {BAD} then 'nowhere-' || n
                    else 'S' || lpad((n // {EACH})::varchar, 8, '0') end as session_id,
                case when n % {4 * BAD} = 0 then 0 else n % {EACH} + 1 end as message_no,
                case when n % {4 * BAD} = {2 * BAD} then 'robot' when n % 2 = 0 then 'customer' else 'agent' end
                    as sender,
                case when n % {4 * BAD} = {3 * BAD} then 'yesterday'
                    else strftime({start} + n // {EACH} * interval '0.2 second' + n % {EACH} * interval '20 seconds',
                        '%Y-%m-%dT%H:%M:%S+08:00') end as sent_at,
                'demo message ' || n || ', 你好' as text
            from range({messages}) t(n) order by n""",
    }
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'Asia/Shanghai'")
        for name, query in tables.items():
            place = folder / ("messages" if name == "chat_messages" else "others") / name
            place.mkdir(parents=True)
            con.execute(f"copy ({query}) to '{place / f'{DAY}.csv'}' (header)")


def read_as_text(folder: Path, part: str) -> int:
    """Rows that pandas reads of a part of the deliveries."""
    import pandas

    return sum(len(pandas.read_csv(path)) for path in (folder / part).rglob("*.csv"))


def read_typed(folder: Path, part: str) -> int:
    """Rows that pandas reads of a part of the deliveries, the times as instants."""
    import pandas

    rows = 0
    for path in (folder / part).rglob("*.csv"):
        frame = pandas.read_csv(path)
        for column in frame.columns.intersection(["started_at", "sent_at"]):
            frame[column] = pandas.to_datetime(frame[column], utc=True, errors="coerce")
        rows += len(frame)
    return rows


def timed_checks() -> list[float]:
    """From now on the seconds of each check of a batch, its preparation included, are put into this list."""
    from csperf.checks import Batch

    seconds: list[float] = []

    def timed(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*arguments: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            result = method(*arguments, **named)
            seconds.append(time.perf_counter() - begun)
            return result

        return call

    Batch.__init__ = timed(Batch.__init__)  # type: ignore[method-assign]
    Batch.check = timed(Batch.check)  # type: ignore[method-assign]
    return seconds


def take_in(folder: Path, part: str) -> int:
    """Rows that csperf takes in of a part of the deliveries, those set aside included."""
    from csperf.ingest import ingest
    from csperf.settings import Settings
    from csperf.sources import open_source

    settings = Settings(home=folder / "home")
    done = ingest(settings, open_source(settings, str(folder / part)), [DAY], WHEN)
    if done.messages:
        sys.exit("\n".join(done.messages))
    return sum(outcome.rows + outcome.quarantined for outcome in done.outcomes)


def measure(part: str, folder: Path) -> dict[str, float]:
    """A part in a process of its own: its seconds without the start of Python, its peak in MB, its rows."""
    command = [sys.executable, "-m", "bench.checks", "--part", part, "--work", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def run_part(part: str, folder: Path) -> None:
    """Work on the messages by a part and print what it took, the other deliveries having been worked on before."""
    work = {"text": read_as_text, "typed": read_typed, "csperf": take_in}[part]
    work(folder, "others")
    checks = timed_checks() if part == "csperf" else []
    begun = time.perf_counter()
    rows = work(folder, "messages")
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps({"seconds": seconds, "check": sum(checks), "peak_mb": peak, "rows": rows}))


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--times", type=int, default=3, help="measured so many times; the medians count")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        run_part(arguments.part, arguments.work)
        return
    found: dict[str, list[dict[str, float]]] = {"text": [], "typed": [], "csperf": []}
    for _ in range(arguments.times):
        with tempfile.TemporaryDirectory(prefix="csperf-checks-") as work:
            write_company(Path(work), arguments.messages)
            for part, measured in found.items():
                measured.append(measure(part, Path(work)))
    print(f"{arguments.messages:,} messages{'':20}{'median s':>9}{'min':>8}{'max':>8}{'peak MB':>9}{'rows':>12}")
    for label, part, what in (
        ("pandas: read_csv, times as text", "text", "seconds"),
        ("pandas: read_csv, times as instants", "typed", "seconds"),
        ("csperf: check", "csperf", "check"),
        ("csperf: read, check, land", "csperf", "seconds"),
    ):
        each = sorted(one[what] for one in found[part])
        peak, rows = max(one["peak_mb"] for one in found[part]), found[part][0]["rows"]
        print(f"{label:38}{statistics.median(each):9.2f}{each[0]:8.2f}{each[-1]:8.2f}{peak:9.0f}{rows:12,.0f}")
    check, of_text = (
        statistics.median(
            ours["check"] / theirs["seconds"] for ours, theirs in zip(found["csperf"], found[part], strict=True)
        )
        for part in ("typed", "text")
    )
    peak = max(one["peak_mb"] for one in found["csperf"])
    print(f"check {check:.1f} x pandas, limit {RATIO:.0f}: {'kept' if check <= RATIO else 'MISSED'}")
    print(f"check {of_text:.1f} x pandas with the times as text")
    print(f"peak {peak:,.0f} MB, limit {PEAK_MB:,}: {'kept' if peak <= PEAK_MB else 'MISSED'}")


if __name__ == "__main__":
    main()
