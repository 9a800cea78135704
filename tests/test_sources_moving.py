"""Files that are still being written, in a wrong encoding, or huge."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from csperf.datasets import DATASETS
from csperf.settings import PROJECT_ROOT, Settings
from csperf.sources import Spool, open_source
from csperf.sources.files import FileSource
from csperf.sources.tables import read_table
from tests.shop import D1, D2, TICKETS, Deliveries, states, ticket


def extract(root: Path, home: Path) -> Spool:
    source = open_source(Settings(home=home), str(root))
    return source.extract(DATASETS["tickets"], [D1], home / "spool")


@contextmanager
def writer(path: Path, lines: list[str], pause: float, gap: int = 1) -> Iterator[threading.Event]:
    """A thread that appends lines, `gap` of them in two halves with a pause between, until all are there or it is
    told to stop."""
    stop, begun = threading.Event(), threading.Event()

    def write() -> None:
        with path.open("a", encoding="utf-8") as file:
            for number, line in enumerate(lines):
                if stop.is_set():
                    return
                file.write(line[:9])
                file.flush()
                if number % gap == 0:
                    begun.set()
                    time.sleep(pause)
                file.write(line[9:] + "\n")
                file.flush()

    thread = threading.Thread(target=write)
    thread.start()
    begun.wait()
    try:
        yield stop
    finally:
        stop.set()
        thread.join()


def test_a_file_that_is_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    shop = Deliveries(tmp_path)
    path = shop.deliver("tickets", D1, TICKETS)
    with writer(path, [ticket(number) for number in range(300)], pause=0.003):
        spool = extract(shop.root, tmp_path)
    assert spool.deliveries[D1].problem is None
    assert (spool.deliveries[D1].rows, spool.unparsed) == (300, [])


def test_a_file_that_goes_on_being_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_table.retry, "wait", lambda state: 0)  # type: ignore[attr-defined]
    shop = Deliveries(tmp_path)
    path = shop.deliver("tickets", D1, TICKETS)
    with writer(path, [ticket(number) for number in range(100_000)], pause=0.0005, gap=10):
        spool = extract(shop.root, tmp_path)
    assert spool.deliveries[D1].problem is not None
    assert "tickets/2026-09-01.csv: the file is still being written" in spool.deliveries[D1].problem
    assert spool.rows == []


def test_a_file_written_anew_after_it_was_read_is_read_again_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Deliveries(tmp_path)
    shop.deliver("tickets", D1, TICKETS, ticket(1))
    read = FileSource.extract

    def overtaken(self: FileSource, *given: object) -> Spool:
        spool = read(self, *given)  # type: ignore[arg-type]
        if spool.dataset.name == "tickets":
            shop.deliver("tickets", D1, TICKETS, ticket(1), ticket(2))
        return spool

    with monkeypatch.context() as patch:
        patch.setattr(FileSource, "extract", overtaken)
        shop.take_in(D1)
    assert shop.accepted("tickets") == ["t1"]
    assert states(shop.take_in(D2))["tickets", 1] == "landed"
    assert shop.accepted("tickets") == ["t1", "t2"]


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-16", "the header is not utf-8; set CSPERF_ENCODING"),
        ("utf-32", "the header is not utf-8; set CSPERF_ENCODING|columns? .* missing"),
        ("gb18030", None),
        ("latin-1", None),
    ],
)
def test_a_wrong_encoding_is_told(tmp_path: Path, encoding: str, words: str | None) -> None:
    """Of an encoding that shares the plain letters only the lines with others are set apart; the rest is refused."""
    shop = Deliveries(tmp_path)
    path = shop.deliver("tickets", D1)
    topic = "退款" if encoding == "gb18030" else "réclamation"
    path.write_bytes("\n".join([TICKETS, ticket(1), ticket(2).replace("refund", topic)]).encode(encoding))
    spool = extract(shop.root, tmp_path)
    if words is None:
        assert (spool.deliveries[D1].rows, [line.line for line in spool.unparsed]) == (1, [3])
        assert "is not utf-8" in spool.unparsed[0].reason
    else:
        assert spool.deliveries[D1].problem is not None
        assert "the header is not utf-8; set CSPERF_ENCODING" in spool.deliveries[D1].problem


def test_json_lines_without_a_row_lie_beside_a_file_with_some(tmp_path: Path) -> None:
    """Found by fuzzing: the columns of the empty file had no type of their own."""
    shop = Deliveries(tmp_path)
    (shop.deliver("tickets", D1).with_suffix(".jsonl")).write_text("\n")
    (shop.root / "tickets" / f"{D1}.csv").unlink()
    shop.deliver("tickets", D2, TICKETS, ticket(1, D2))
    source = open_source(Settings(home=tmp_path), str(shop.root))
    spool = source.extract(DATASETS["tickets"], [D1, D2], tmp_path / "spool")
    with duckdb.connect() as con:
        relation = spool.relation(con)
        assert relation.select("ticket_id").fetchall() == [("t1",)]


def test_a_huge_file_with_a_broken_line_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """125 MB, line by line because of the broken one: the process needs hardly more for it than for 40 MB."""
    shop = Deliveries(tmp_path)
    row = ",E1,2026-09-01T09:00:00+08:00,," + "x" * 1200 + ",false\n"
    for day, count in ((D1, 30_000), (D2, 100_000)):
        with shop.deliver("tickets", day, TICKETS).open("a", encoding="utf-8") as file:
            file.writelines(f"t{number}{row}" for number in range(count))
            file.write('t,"never closed\n')
    code = (
        "import resource, sys, datetime, pathlib\n"
        "from csperf.sources import open_source\n"
        "from csperf.settings import Settings\n"
        "from csperf.datasets import DATASETS\n"
        "home, used = pathlib.Path(sys.argv[2]), []\n"
        "source = open_source(Settings(home=home, memory_limit='100MB', threads=1), sys.argv[1])\n"
        "for number in (1, 2):\n"
        "    day = datetime.date(2026, 9, number)\n"
        "    spool = source.extract(DATASETS['tickets'], [day], home / str(number))\n"
        "    used.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        "print(spool.deliveries[day].rows, len(spool.unparsed), used[1] - used[0])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "in"), str(tmp_path / "home")],
        capture_output=True, text=True, check=False, cwd=PROJECT_ROOT,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    count, lines, grown = map(int, run.stdout.split()[-3:])
    assert (count, lines) == (100_000, 1)
    assert grown < 90_000, grown  # kB
