"""Reading delivered text files: headers, encodings, and the lines that are no rows.

DuckDB reads a clean file at full speed. When it refuses a line, `repair` goes through the file line by line and
writes the good records to a clean copy: an unclosed quote or a broken character costs its own line and no other.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from csperf.errors import CsperfError

MAX_LINE = 1_000_000
MAX_RAW = 2_000
MAX_UNPARSED = 100_000
_MAX_RECORD_LINES = 200
_CHUNK = 1 << 20
_BLOCK = 2_000

csv.field_size_limit(MAX_LINE)


class Unreadable(CsperfError):
    """A delivered file of which no row can be read; the text is the delivery's problem."""


class BeingWritten(Unreadable):
    """A file that changed while it was read; trying again may help."""


@dataclass
class Repaired:
    """What repair left: the number of good records and the lines that are no rows (number, raw text, reason)."""

    rows: int = 0
    unparsed: list[tuple[int, str, str]] = field(default_factory=list)

    def reject(self, line: int, raw: str, reason: str) -> None:
        self.unparsed.append((line, raw.rstrip("\r\n")[:MAX_RAW], reason))
        if len(self.unparsed) > MAX_UNPARSED:
            raise Unreadable(
                f"more than {MAX_UNPARSED} lines cannot be read; line {self.unparsed[0][0]} for one: "
                f"{self.unparsed[0][2]}"
            )


def open_bytes(path: Path) -> BinaryIO:
    """The file's bytes, decompressed when its name ends in .gz."""
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def read_header(path: Path, encoding: str, delimiter: str = ",") -> tuple[list[str], int]:
    """The column names in a CSV file's first line that is not blank, trimmed, and how many blank lines come before.

    Unreadable when there is none, a name is missing or stands twice, or the line is not in the encoding.
    """
    blank, first = next(((number, line) for number, line in enumerate(_lines(path)) if line.strip()), (0, b""))
    if not first:
        raise Unreadable("the file is empty, without even a header; a day without rows is a file with its header")
    if len(first) > MAX_LINE:
        raise Unreadable(f"the header is longer than {MAX_LINE} bytes")
    try:
        text = first.rstrip(b"\r\n").decode(encoding)
    except UnicodeDecodeError:
        raise Unreadable(
            f"the header is not {encoding}; set CSPERF_ENCODING if the files come in another encoding"
        ) from None
    if any(ord(letter) < 32 and letter != "\t" for letter in text):
        raise Unreadable("its first line holds characters that no header has, so it is no CSV file")
    names = [name.strip() for name in next(csv.reader(io.StringIO(text), delimiter=delimiter))]
    lowered = [name.lower() for name in names]
    twice = sorted({name for name in names if lowered.count(name.lower()) > 1})
    if twice:
        raise Unreadable(f"the header has the column {', '.join(twice)} more than once")
    if "" in names[:-1]:
        raise Unreadable("the header has a column without a name")
    return names, blank


def transcode(path: Path, target: Path, encoding: str) -> None:
    """Copy a text file as plain UTF-8; a line that is not in the encoding stays broken, so that it is refused."""
    with open_bytes(path) as source, target.open("wb") as out:
        while lines := source.readlines(_CHUNK):
            try:
                out.write(b"".join(lines).decode(encoding).encode())
            except UnicodeDecodeError:
                for line in lines:
                    try:
                        out.write(line.decode(encoding).encode())
                    except UnicodeDecodeError:
                        out.write(b"\xff\n")


def _lines(path: Path) -> Iterator[bytes]:
    """Physical lines with their ends (\\n, \\r\\n or \\r), the BOM removed; of a huge one the beginning."""
    with open_bytes(path) as file:
        rest = file.read(_CHUNK).removeprefix(codecs.BOM_UTF8)
        huge: bytes | None = None
        while rest or huge is not None:
            block = file.read(_CHUNK)
            lines = (rest + block).splitlines(keepends=True)
            # The last line may go on in the next block, and a \r at its end may be half of \r\n.
            rest = lines.pop() if block else b""
            for line in lines:
                yield (line if huge is None else huge)[: MAX_LINE + 1]
                huge = None
            if not block:
                if huge is not None:
                    yield huge
                return
            if huge is not None or len(rest) > MAX_LINE:
                huge = huge or rest[: MAX_LINE + 1]
                rest = b"\r" if rest.endswith(b"\r") else b""


def _fields(text: str, delimiter: str) -> list[str] | None:
    """The fields of one complete record; None when its quotes do not close. csv.Error when it is malformed."""
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    return rows[0] if len(rows) == 1 else None


def repair_csv(path: Path, target: Path, encoding: str, columns: int, delimiter: str = ",") -> Repaired:
    """Copy the good records of a CSV file with a header to `target`: UTF-8, no header, commas.

    A record is good when its line (or, with line breaks inside quotes, its few lines) is in the encoding and has
    as many fields as the header. Otherwise its first line is rejected and reading goes on with the next one.
    """
    result = Repaired()
    lines = enumerate(_lines(path), start=1)
    ahead: deque[tuple[int, bytes]] = deque()

    def peek(index: int) -> tuple[int, bytes] | None:
        ahead.extend(islice(lines, max(0, index + 1 - len(ahead))))
        return ahead[index] if index < len(ahead) else None

    while (line := peek(0)) is not None:  # up to and with the header
        ahead.popleft()
        if line[1].strip():
            break
    with target.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
        while peek(_BLOCK - 1) is not None or ahead:
            last = ahead[-1][0]
            rows = _clean(b"".join(raw for _, raw in ahead), encoding, columns, delimiter)
            if rows is not None:
                writer.writerows(rows)
                result.rows += len(rows)
                ahead.clear()
            while (current := peek(0)) is not None and current[0] <= last:
                record, used = _record(current, encoding, columns, delimiter, peek, result)
                if record is not None:
                    writer.writerow(record)
                    result.rows += 1
                for _ in range(used):
                    ahead.popleft()
    return result


def _clean(block: bytes, encoding: str, columns: int, delimiter: str) -> list[list[str]] | None:
    """The records of some lines at once, without blank ones; None when anything in them needs a closer look."""
    try:
        rows = list(csv.reader(io.StringIO(block.decode(encoding), newline=""), delimiter=delimiter, strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None
    rows = [row for row in rows if row]
    return rows if all(len(row) == columns for row in rows) else None


def _record(
    line: tuple[int, bytes],
    encoding: str,
    columns: int,
    delimiter: str,
    peek: Callable[[int], tuple[int, bytes] | None],
    result: Repaired,
) -> tuple[list[str] | None, int]:
    """The record that begins with a line and the number of lines it takes; a line that is none is rejected."""
    number, raw = line
    if not raw.strip():
        return None, 1
    used, reason, record = 1, "", None
    try:
        text = raw.decode(encoding) if len(raw) <= MAX_LINE else ""
        if not text:
            reason = f"the line is longer than {MAX_LINE} bytes"
        elif text.count('"') % 2 == 0:
            record = _fields(text, delimiter)
        else:
            record, used = _multiline(text, encoding, delimiter, peek)
    except UnicodeDecodeError as error:
        reason = f"byte {error.start + 1} of the line is not {encoding}"
    except csv.Error:
        reason = "its quotes are malformed"
    if not reason and record is None:
        reason = "a quote is opened and never closed"
    elif record is not None and len(record) != columns and not (len(record) == columns + 1 and record[-1] == ""):
        reason = f"it has {len(record)} fields, the header has {columns}"
    if reason or record is None:
        result.reject(number, raw.decode(encoding, "replace"), reason)
        return None, 1
    return record[:columns], used


def _multiline(
    text: str, encoding: str, delimiter: str, peek: Callable[[int], tuple[int, bytes] | None]
) -> tuple[list[str] | None, int]:
    """A record whose quotes close only some lines further down, and how many lines it took."""
    for used in range(1, _MAX_RECORD_LINES):
        following = peek(used)
        if following is None or len(text) > MAX_LINE:
            break
        more = following[1].decode(encoding)
        text += more
        if more.count('"') % 2 == 1:
            try:
                return _fields(text, delimiter), used + 1
            except csv.Error:
                break
    return None, 1


def repair_jsonl(path: Path, target: Path) -> Repaired:
    """Copy the good lines of a JSON Lines file (one object each) to `target`."""
    result = Repaired()

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    with target.open("w", encoding="utf-8", newline="") as out:
        for number, raw in enumerate(_lines(path), start=1):
            if not raw.strip():
                continue
            reason = ""
            try:
                if len(raw) > MAX_LINE:
                    reason = f"the line is longer than {MAX_LINE} bytes"
                elif not isinstance(json.loads(raw.decode("utf-8"), parse_constant=refuse), dict):
                    reason = "it is no JSON object"
            except UnicodeDecodeError as error:
                reason = f"byte {error.start + 1} of the line is not utf-8"
            except (ValueError, RecursionError) as error:
                reason = f"it is no JSON: {error}"
            if reason:
                result.reject(number, raw.decode("utf-8", "replace"), reason)
            else:
                out.write(raw.decode("utf-8").strip() + "\n")
                result.rows += 1
    return result
