"""What a fault did to the records and tables, summed up for the table that is printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults.company import Difference


@dataclass
class Result:
    """A kind of fault: how often it struck, rows and files lost or doubled afterwards, and what went wrong."""

    fault: str
    times: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, struck: int, difference: Difference | None, problem: str | None = None) -> None:
        """Count one attempt."""
        self.times += struck
        if difference is not None:
            self.lost += difference.lost
            self.doubled += difference.doubled
            if difference.where:
                self.wrong.append(f"differs in {', '.join(difference.where[:8])}")
        if problem is not None:
            self.wrong.append(problem)

    @property
    def survived(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)


def table(results: Sequence[Result]) -> str:
    """The results as a table for people; what went wrong is below it."""
    lines = [f"{'fault':48}{'times':>7}{'lost':>7}{'doubled':>9}"]
    lines += [f"{each.fault:48}{each.times:7}{each.lost:7}{each.doubled:9}" for each in results]
    lines += [f"WRONG, {each.fault}: {problem}" for each in results for problem in each.wrong[:5]]
    return "\n".join(lines)
