"""What the command line shows: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import io
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from csperf.errors import CsperfError, without_values
from csperf.progress import Progress, silent
from csperf.secrets import masked
from csperf.stopping import STOPPED, Stopped, listen, raise_if_all_ends

if TYPE_CHECKING:
    from rich.progress import TaskID


def show(*parts: Any) -> None:
    """Print texts and rich tables to stdout."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        print(as_text(*parts), end="", flush=True)
        return
    for part in parts:
        if isinstance(part, str):  # whole, for paths and commands are copied from it
            print(part, flush=True)
        else:
            console.print(part)


def is_terminal() -> bool:
    """Whether what is shown goes to somebody's screen, not into a file or pipe that is kept."""
    return sys.stdout.isatty()


def as_text(*parts: Any) -> str:
    """Texts and rich tables as for a file or pipe: whole lines, whatever the terminal's width."""
    from rich.console import Console

    text = io.StringIO()
    console = Console(file=text, width=200, no_color=True, force_terminal=False)
    for part in parts:
        if isinstance(part, str):
            text.write(f"{part}\n")
        else:
            console.print(part)
    return text.getvalue()


def facts(title: str, rows: Sequence[tuple[str, object]]) -> Any:
    """A small table of named figures."""
    from rich.console import Group
    from rich.table import Table

    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows:
        table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    return Group(title, table)


@contextmanager
def bars() -> Iterator[Progress]:
    """A progress bar a step on stderr while the block runs; nothing when stderr is no terminal."""
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    tasks: dict[str, TaskID] = {}
    with Bars(*columns, console=Console(stderr=True)) as shown:

        def report(step: str, done: int, total: int) -> None:
            kind = step.split()[0]  # `build agent_daily` and `build measures` share the bar of the build
            if kind not in tasks:
                tasks[kind] = shown.add_task(step)
            shown.update(tasks[kind], description=step, completed=done, total=total or None)

        yield report


def run(command: Callable[[], object], debug: Callable[[], bool]) -> None:
    """Run the command line and end the process with its exit code.

    A CsperfError is one sentence on stderr and its own exit code, a signal to end (Ctrl-C, SIGTERM, SIGHUP) one with
    128 and its number; anything else that goes wrong is a fault of csperf, said in one sentence with exit code 1. With
    --debug they come with the traceback.
    """
    listen()
    try:
        try:
            command()
        except Exception as error:
            raise_if_all_ends(error)
            raise
    except Stopped as stopped:
        _complain(STOPPED, debug())
        sys.exit(stopped.exit_code)
    except CsperfError as error:
        _complain(str(error), debug())
        sys.exit(error.exit_code)
    except Exception as error:
        first = without_values((str(error).strip().splitlines() or [""])[0])
        _complain(f"Unexpected {type(error).__name__}: {first} (run again with csperf --debug to see where).", debug())
        sys.exit(1)


def _complain(sentence: str, debug: bool) -> None:
    if debug:
        print(masked(traceback.format_exc()), file=sys.stderr)
    print(masked(sentence), file=sys.stderr)
