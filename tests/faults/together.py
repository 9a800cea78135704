"""The same step twice at once: from two command lines, and from Airflow and a command line."""

from __future__ import annotations

import os
import subprocess
import sys

from scripts.stack import local_stack
from tests.faults.company import Company, check_end
from tests.faults.results import Result
from tests.faults.steps import NIGHT, Started

CLERK, DAILY = "clerk", "csperf_daily"


def twice(company: Company, step: str, times: int) -> Result:
    """Two processes start the same step on the same home at the same time."""
    result = Result(f"two at once in {step}")
    for _ in range(times):
        settings = company.home(step)
        both = [Started(step, settings) for _ in range(2)]
        problems = [check_end(step, each.ended()) for each in both]
        result.add(1, company.difference(step, settings), problems[0] or problems[1])
        company.drop(settings)
    return result


def with_airflow(company: Company) -> Result:
    """Airflow's nightly run and `csperf run` of the same night at the same time, through a real scheduler.

    Both stamp what they land with the present, so the records are compared without those times.
    """
    result = Result("Airflow and command line at once")
    settings = company.home("night")
    variables = {"CSPERF_HOME": str(settings.home), "CSPERF_SOURCE": str(settings.source)}
    command = [sys.executable, "-m", "csperf", "run", "--from", str(NIGHT), "--to", str(NIGHT)]
    with local_stack(settings.home.parent / "airflow", variables, (CLERK,)) as stack:
        run = stack.trigger(DAILY, CLERK, {"from": str(NIGHT), "to": str(NIGHT)})
        stack.wait_for_task(DAILY, run, "extract", "running", CLERK)
        done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)
        state = stack.wait(DAILY, run, CLERK, timeout=1800)
    problem = None if done.returncode == 0 else f"csperf run ended with {done.returncode}: {done.stderr[-500:]}"
    if state != "success":
        problem = f"csperf_daily ended as {state}"
    result.add(1, company.difference("night", settings, timeless=True), problem)
    company.drop(settings)
    return result
