"""Faults of every kind, and what they cost: `python -m tests.faults` (about an hour), `--short` (a minute)."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tests.faults.company import ORDER, Company
from tests.faults.full import can_mount, full
from tests.faults.killed import killed
from tests.faults.reading import readers
from tests.faults.results import Result, table
from tests.faults.source import lost_source
from tests.faults.together import twice, with_airflow

SEED = 20261126
KILLS, KILLS_SHORT, PUBLICATIONS = 200, 20, 50
SHORT_STEPS = ORDER[:3]  # a backfill is a night and closings, and takes its time
Fault = Callable[[], Sequence[Result]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few faults of each kind")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the moments of faults (default {SEED})")
    parser.add_argument("--kills", type=int, help=f"kills in all (default {KILLS}, short {KILLS_SHORT})")
    parser.add_argument("--only", help="only the faults whose name contains this")
    parser.add_argument("--work", type=Path, help="folder of the company, which is made if missing, and kept")
    arguments = parser.parse_args()
    short, chance = arguments.short, random.Random(arguments.seed)
    kills = arguments.kills or (KILLS_SHORT if short else KILLS)
    print(f"seed {arguments.seed}; a demo company, all people are invented", flush=True)
    with tempfile.TemporaryDirectory(prefix="csperf-faults-") as folder:
        work = arguments.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        company = Company(work, SHORT_STEPS if short else ORDER).prepare()
        undisturbed = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in company.seconds.items())
        print(f"undisturbed: {undisturbed}", flush=True)
        results = []
        for name, fault in plan(company, short, kills, chance):
            if arguments.only and arguments.only not in name:
                continue
            begun = time.monotonic()
            for result in fault():
                results.append(result)
                state = "survived" if result.survived else "NOT SURVIVED"
                print(f"{name}: {result.times} times, {time.monotonic() - begun:.0f} s, {state}", flush=True)
                for problem in result.wrong:
                    print(f"  {problem}", flush=True)
        print(table(results))
    return 0 if all(result.survived for result in results) else 1


def plan(company: Company, short: bool, kills: int, chance: random.Random) -> list[tuple[str, Fault]]:
    """The faults by name. Of the kills most go into the closings: they are where pay is published, and quick."""
    share = {"night": 0.2, "close_quarter": 0.3, "close_month": 0.3, "backfill": 0.2}
    if short:
        share = {"night": 0.1, "close_quarter": 0.45, "close_month": 0.45}
    mounted = can_mount(company.root / "mounted")
    faults: list[tuple[str, Fault]] = []
    for step in company.steps:
        number = max(1, round(kills * share[step]))
        faults.append((f"killed {step}", partial(_one, killed, company, step, number, chance)))
    for step in ("close_month",) if short else ORDER:
        faults.append((f"full {step}", partial(_one, full, company, step, 1 if short else 10, chance, mounted)))
    for step in ("close_quarter",) if short else ORDER:
        faults.append((f"together {step}", partial(_one, twice, company, step, 1 if short else 3)))
    faults.append(("source", partial(lost_source, company, 1 if short else 5, not short)))
    faults.append(("readers", partial(_one, readers, company.root, PUBLICATIONS)))
    if not short:
        faults.append(("together airflow", partial(_one, with_airflow, company)))
    return faults


def _one(fault: Callable[..., Result], *arguments: object) -> list[Result]:
    return [fault(*arguments)]


if __name__ == "__main__":
    sys.exit(main())
