"""kill -9 at random moments, again and again until the step is left alone."""

from __future__ import annotations

import random

from tests.faults.company import Company, check_end
from tests.faults.results import Result
from tests.faults.steps import Started, run


def killed(company: Company, step: str, kills: int, chance: random.Random, in_a_row: int = 4) -> Result:
    """Kill a step so many times, up to `in_a_row` times on the same home, which is then left to finish.

    The moments of a row lie in equal stretches of the undisturbed time, one in each, in any order.
    """
    result, tries = Result(f"kill -9 in {step}"), 0
    while result.times < kills and tries < 3 * kills:
        tries += 1
        settings, struck = company.home(step), 0
        row = min(in_a_row, kills - result.times)
        moments = [(number + chance.random()) / row * company.seconds[step] for number in range(row)]
        chance.shuffle(moments)
        for moment in moments:
            ended = Started(step, settings).killed_after(moment)
            struck += ended.killed
            if not ended.killed:  # a machine is not always as slow as when it was measured
                company.seconds[step] = min(company.seconds[step], ended.seconds)
        done = run(step, settings)
        result.add(struck, company.difference(step, settings), check_end(step, done))
        company.drop(settings)
    if result.times < kills:
        result.wrong.append(f"struck {result.times} times, not {kills}: it ended before each of the others")
    return result
