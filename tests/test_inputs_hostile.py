"""Inputs that mean harm, or look like it: refused with a sentence, or taken as the plain texts that they are."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from csperf.datasets import DATASETS
from csperf.errors import UsageError
from csperf.ingest import ingest
from csperf.settings import Settings
from csperf.sources import Spool, open_source
from csperf.sources.convert import MAX_TEXT
from csperf.sources.mapping import load_mapping
from tests.shop import AT, D1, ROSTER, TICKETS, Deliveries, person, ticket

SECRET = "a line that nobody may read"


@pytest.fixture
def shop(tmp_path: Path) -> Deliveries:
    (tmp_path / "secret.csv").write_text(f"{TICKETS}\n{ticket(1)}\n{SECRET}\n")
    return Deliveries(tmp_path)


def mapping(folder: Path, select: str = "", **changes: str) -> Path:
    """A mapping of tickets in `desk/tickets.csv`, with another select or other keys."""
    keys = {"files": "tickets.csv"} | changes
    lines = [f"    {key}: {json.dumps(value)}" for key, value in keys.items()]
    if select:
        lines.append(f"    select: {json.dumps(select)}")
    path = folder / "desk" / "desk.yaml"
    path.parent.mkdir(exist_ok=True)
    (path.parent / "tickets.csv").write_text(f"{TICKETS}\n{ticket(1)}\n")
    path.write_text("\n".join(["name: desk", "title: Demo", "datasets:", "  tickets:", *lines]))
    return path


def mapped(folder: Path, path: Path) -> Spool:
    source = open_source(Settings(home=folder / "home"), str(path), folder / "desk")
    return source.extract(DATASETS["tickets"], [D1], folder / "spool")


# ---- paths --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["files", "beside"])
@pytest.mark.parametrize("name", ["../secret.csv", "/etc/passwd", "a/../../secret.csv", "../{date}.csv", "a\0b"])
def test_a_mapping_cannot_name_files_outside_its_folder(tmp_path: Path, key: str, name: str) -> None:
    path = mapping(tmp_path)
    text = path.read_text().replace('files: "tickets.csv"', f"{key}: {json.dumps(name)}")
    path.write_text(text)
    with pytest.raises(UsageError, match="leads out of its folder") as caught:
        load_mapping(path)
    assert "\n" not in str(caught.value)


def test_a_link_out_of_the_source_is_refused(shop: Deliveries, tmp_path: Path) -> None:
    shop.deliver("tickets", D1).unlink()
    (shop.root / "tickets" / f"{D1}.csv").symlink_to(tmp_path / "secret.csv")
    report = shop.take_in()
    assert "is a link that leads out of the source directory" in report.messages[0]
    path = mapping(tmp_path)
    (tmp_path / "desk" / "tickets.csv").unlink()
    (tmp_path / "desk" / "tickets.csv").symlink_to(tmp_path / "secret.csv")
    problem = mapped(tmp_path, path).deliveries[D1].problem
    assert problem is not None and "tickets.csv is a link that leads out of its folder" in problem
    everything = b"".join(found.read_bytes() for found in (tmp_path / "home").rglob("*") if found.is_file())
    assert SECRET.encode() not in everything


# ---- SQL in mappings ----------------------------------------------------------------------------------------------

COLUMNS = "'t' as ticket_id, 'E1' as agent_id, null as created_at, null as closed_at, 'x' as kind, false as is_error"


@pytest.mark.parametrize(
    ("select", "words"),
    [
        (f"select {COLUMNS} from read_text('SECRET')", "file system operations are disabled"),
        (f"select {COLUMNS} from read_csv('/etc/passwd', header = false)", "file system operations are disabled"),
        (f"select {COLUMNS} from 'SECRET'", "file system operations are disabled|does not exist"),
        (f"select {COLUMNS}, (select content from read_text('desk/../SECRET')) from source", "disabled"),
        (f"select {COLUMNS} from glob('/etc/*')", "file system operations are disabled"),
        (f"select {COLUMNS} from sqlite_scan('SECRET', 'x')", "does not exist|disabled|extension"),
        ("copy (select 1) to 'SECRET'", "is not one select"),
        ("attach 'SECRET' as other", "is not one select"),
        ("install httpfs", "is not one select"),
        ("set enable_external_access = true", "is not one select"),
        (f"select {COLUMNS} from source; drop table raw", "is not one select"),
    ],
)
def test_a_select_reads_its_source_and_nothing_else(shop: Deliveries, tmp_path: Path, select: str, words: str) -> None:
    secret = (tmp_path / "secret.csv").read_bytes()
    spool = mapped(tmp_path, mapping(tmp_path, select.replace("SECRET", str(tmp_path / "secret.csv"))))
    problem = spool.deliveries[D1].problem
    assert problem is not None and any(word in problem for word in words.split("|")), problem
    assert spool.rows == [] and SECRET not in problem
    assert (tmp_path / "secret.csv").read_bytes() == secret


def test_a_rule_reads_its_row_and_nothing_else(shop: Deliveries, tmp_path: Path) -> None:
    path = mapping(tmp_path)
    where = f"exists (select 1 from read_text('{tmp_path / 'secret.csv'}'))"
    path.write_text(path.read_text() + f"\n    skip: [{{reason: x, where: {json.dumps(where)}}}]\n")
    problem = mapped(tmp_path, path).deliveries[D1].problem
    assert problem is not None and "file system operations are disabled" in problem


def test_yaml_makes_no_objects(tmp_path: Path) -> None:
    path = mapping(tmp_path)
    path.write_text(path.read_text().replace("Demo", f"!!python/object/apply:os.mkdir ['{tmp_path}/made']"))
    with pytest.raises(UsageError, match="is no YAML"):
        load_mapping(path)
    assert not (tmp_path / "made").exists()


# ---- texts --------------------------------------------------------------------------------------------------------

ODD = [
    "t1'); drop table tickets; --",
    '" or 1=1 --',
    "=cmd|'/c calc'!A1",
    "+SUM(1;1)",
    "@import",
    "-2+3",
    "\u202egnp.exe",  # written from right to left
    "\u0645\u0631\u062d\u0628\u0627",
    "${jndi:ldap://x}",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "%s%n",
    "\U0001f600",
    "a\tb",
    "$first_date :date ?",
]


def test_odd_texts_are_plain_texts(shop: Deliveries) -> None:
    """As ids, names and topics alike, through landing and quarantine."""

    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    rows = [ticket(0).replace("t0", quoted(text)).replace("refund", quoted(text)) for text in ODD]
    unknown = [ticket(100 + number).replace(",E1,", f",{quoted(text)},") for number, text in enumerate(ODD)]
    people = [person(f"E{number}").replace(f"Example E{number}", quoted(text)) for number, text in enumerate(ODD, 3)]
    shop.deliver("employees", D1, ROSTER, person("E1"), *people)
    shop.deliver("tickets", D1, TICKETS, *rows, *unknown)
    report = shop.take_in()
    assert report.messages == []
    assert shop.accepted("tickets") == ODD and shop.accepted("tickets", column="kind") == ODD
    assert shop.accepted("employees", column="name") == ["Example E1", *ODD]
    assert sorted(shop.part("tickets").current.accepted.waiting) == sorted(ODD)  # type: ignore[union-attr]
    shop.deliver(
        "employees", D1, ROSTER, person("E1"), *people, *(person("E1").replace("E1", quoted(t), 1) for t in ODD)
    )
    shop.take_in()
    assert shop.accepted("tickets", column="agent_id") == ["E1"] * len(ODD) + ODD


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_giant_cell_and_a_nul_cost_their_rows_alone(shop: Deliveries, form: str) -> None:
    giant, nul = "x" * 10_000_000, "re\0fund"
    kinds = ["refund", giant, nul, "x" * MAX_TEXT, "x" * (MAX_TEXT + 1), "refund"]
    rows = [dict(zip(TICKETS.split(","), ticket(n).split(","), strict=True)) | {"kind": k} for n, k in enumerate(kinds)]
    path = shop.deliver("tickets", D1).with_suffix(f".{form}")
    path.with_suffix(".csv").unlink()
    if form == "csv":
        path.write_text("\n".join([TICKETS, *(",".join(row.values()) for row in rows)]) + "\n")
    elif form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with duckdb.connect() as con:
            con.execute(f"create table t ({', '.join(f'{name} varchar' for name in rows[0])})")
            con.executemany(f"insert into t values ({', '.join('?' * 6)})", [list(row.values()) for row in rows])
            con.execute(f"copy t to '{path}' (format parquet)")
    report = shop.take_in()
    assert report.messages == []
    assert shop.accepted("tickets") == ["t0", "t3", "t5"]
    assert shop.part("tickets").quarantined == 3
    for *_, reason in shop.reasons("tickets"):
        assert "\0" not in reason


def test_a_file_of_garbage_is_refused(shop: Deliveries) -> None:
    for number, content in enumerate([b"\0" * 5000, bytes(range(256)) * 50, b"\xff\xd8\xff\xe0JFIF", b"\n\n\n", b'"']):
        shop.deliver("tickets", D1).write_bytes(content)
        report = shop.take_in()
        assert report.failures == {}, number
        assert len(report.messages) == 1 and report.messages[0].startswith("tickets of 2026-09-01 is refused"), number
        assert "\n" not in report.messages[0] and "\0" not in report.messages[0], number


def test_a_mapped_date_pattern_keeps_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / f"{D1}.csv").write_text(f"{TICKETS}\n{ticket(1)}\n")
    path = mapping(tmp_path, files="{date}.csv")
    settings = Settings(home=tmp_path / "home")
    report = ingest(settings, open_source(settings, str(path), tmp_path / "desk"), [D1], AT)
    assert [outcome.state for outcome in report.outcomes] == ["missing"]
