"""The forms of an extract: languages, without names, the workbook's sheets, control totals. Demo data throughout."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest
from openpyxl.utils import get_column_letter
from typer.testing import CliRunner

from csperf import closing
from csperf.cli import app
from csperf.errors import CsperfError, UsageError
from csperf.extract import form_of
from csperf.lookups import read_lookups
from csperf.other_form import write_again
from csperf.periods import Month
from csperf.settings import Settings
from tests.worked_warehouse import Worked, close, files_of

JULY, AUGUST = Month(2026, 7), Month(2026, 8)
WHEN = datetime(2026, 9, 21, 9, tzinfo=UTC)
PAY = {"base_pay": "3000.00", "performance_pay": "-0.01", "pension_employee": "240.00"}
FORMS: list[dict[str, Any]] = [{}, {"extract_language": "zh"}, {"extract_language": "both", "extract_names": False}]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """August to be closed: E1 and E2 are paid, E3 has left and gets 12.34 for July."""
    home = tmp_path_factory.mktemp("forms") / "home"
    settings = Settings(home=home)
    pay = {"2026-07": {"E2": PAY, "E3": {"base_pay": "100.00"}}}
    Worked(pay).write(settings)
    close(settings, JULY)
    pay = {
        "2026-07": {"E2": PAY, "E3": {"base_pay": "112.34"}},
        "2026-08": {"E1": {"base_pay": "0.00"}, "E2": PAY},
    }
    Worked(pay, left={"E3": "2026-08"}).write(settings)
    close(settings, JULY)
    return home


def drafted(home: Path, **form: Any) -> Path:
    return closing.draft_month(Settings(home=home, **form), AUGUST, WHEN).path


def first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig").splitlines()[0]


def test_headings_are_codes_chinese_english_or_both(home: Path) -> None:
    told = [
        first_line(drafted(home, extract_language=language) / "payroll_2026-08.csv").split(",")
        for language in ("codes", "zh", "en")
    ]
    assert told[0][:2] == ["employee_id", "name"] and told[0][-2:] == ["gross_pay", "pay_date"]
    assert told[1][:2] == ["工号", "姓名"] and told[1][-3:] == ["级别薪资", "应发合计", "发薪日"]
    assert told[2][-3:] == ["grade allowance", "gross pay", "pay date"]
    path = drafted(home, extract_language="both")
    assert first_line(path / "payroll_2026-08.csv").startswith("工号 · employee number,姓名 · name,")
    assert "补发 底薪 · correction: base pay" in first_line(path / "leavers_2026-08.csv")


def test_two_columns_that_would_read_the_same_have_their_codes() -> None:
    form = form_of(Settings(extract_language="zh"))
    labels = {"wage": ("底薪", "wage"), "pay": ("底薪", "pay"), "bonus": ("", "bonus"), "odd": ("", "")}
    assert form.headings(list(labels), labels) == ["底薪 (wage)", "底薪 (pay)", "bonus", "(odd)"]


def test_another_form_of_the_same_figures_is_no_new_revision(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    Worked({"2026-07": {"E2": PAY}}).write(settings)
    assert close(settings, JULY).outcome == "published"
    other = Settings(home=tmp_path / "home", extract_language="zh", extract_names=False)
    assert close(other, JULY).outcome == "unchanged"


def test_without_names_no_file_has_one(home: Path) -> None:
    path = drafted(home, extract_names=False)
    names = ("Demo An", "Demo, Bo", "示例三")
    texts = {}
    for file in path.iterdir():
        if file.suffix == ".parquet":
            texts[file.name] = str(duckdb.sql(f"from read_parquet('{file}')").fetchall())
        elif file.suffix == ".xlsx":
            with zipfile.ZipFile(file) as book:
                texts[file.name] = "".join(book.read(part).decode() for part in book.namelist())
        else:
            texts[file.name] = file.read_text(encoding="utf-8-sig")
    assert {
        "payroll_2026-08.csv",
        "payroll_2026-08.xlsx",
        "leavers_2026-08.csv",
        "manifest.json",
        "approval.md",
    } <= texts.keys()
    assert [file for file, text in texts.items() if any(name in text for name in names)] == []
    assert first_line(path / "payroll_2026-08.csv").startswith("employee_id,team,post,")
    named = drafted(home)
    assert "Demo An" in (named / "payroll_2026-08.csv").read_text(encoding="utf-8-sig")


@pytest.mark.parametrize("form", FORMS)
def test_a_sheet_is_frozen_filtered_and_printed_on_its_width(home: Path, form: dict[str, Any]) -> None:
    book = openpyxl.load_workbook(drafted(home, **form) / "payroll_2026-08.xlsx")
    assert book.sheetnames == ["payroll 2026-08", "left 2026-08", "totals", "lines", "policy", "columns"]
    for sheet in book.worksheets:
        assert sheet.freeze_panes is not None and sheet.freeze_panes.endswith("2")
        listed = sheet.max_row - (sheet in book.worksheets[:2])  # the totals row lies below what is filtered
        assert sheet.auto_filter.ref == f"A1:{get_column_letter(sheet.max_column)}{listed}"
        assert (sheet.page_setup.orientation, sheet.print_title_rows) == ("landscape", "$1:$1")
        assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (None, 0)
        assert sheet.sheet_properties.pageSetUpPr.fitToPage


def test_a_totals_row_lies_below_the_people(home: Path) -> None:
    path = drafted(home, extract_language="zh") / "payroll_2026-08.xlsx"
    sheet, values = (openpyxl.load_workbook(path, data_only=shown).worksheets[0] for shown in (False, True))
    assert sheet.max_row == 4  # two people
    assert [cell.value for cell in sheet[4]][:7] == ["合计", None, None, None, None, None, "=SUBTOTAL(9,G2:G3)"]
    totals = {values.cell(1, n).value: cell.value for n, cell in enumerate(values[4], start=1)}
    # 3000 − 0.01; the contribution of 240 is none of it.
    assert (totals["养老保险(个人)"], totals["应发合计"], totals["发薪日"]) == (240, 2999.99, None)


def test_a_chinese_letter_is_two_wide(home: Path) -> None:
    book = openpyxl.load_workbook(drafted(home, extract_language="zh") / "payroll_2026-08.xlsx")
    widths = {column: round(each.width) for column, each in book.worksheets[0].column_dimensions.items()}
    assert widths["F"] >= len("薪资方案") * 2 + 3


def test_totals_are_formulas_with_their_value_beside_them(home: Path) -> None:
    path = drafted(home) / "payroll_2026-08.xlsx"
    formulas = {row[0]: row for row in openpyxl.load_workbook(path)["totals"].iter_rows(values_only=True)}
    values = {row[0]: row for row in openpyxl.load_workbook(path, data_only=True)["totals"].iter_rows(values_only=True)}
    assert formulas["gross_pay"][5] == "=SUM('payroll 2026-08'!K2:K3,'left 2026-08'!I2:I2)"
    # 3000 − 0.01 of E2, 0 of E1, 12.34 of E3; the contribution of 240 lies outside.
    assert values["gross_pay"][4:] == (3, 3012.33)
    assert values["base_pay"][4:] == (2, 3000)
    assert values["pension_employee"][3:] == ("contribution", 1, 240)
    assert values["retro_base_pay"][4:] == (1, 12.34)
    assert values["North"][3:] == ("gross_pay", 2, 2999.99)
    assert values["South"][3:] == ("gross_pay", 1, 12.34)


def test_lines_and_the_plans_in_force_are_sheets(home: Path) -> None:
    book = openpyxl.load_workbook(drafted(home) / "payroll_2026-08.xlsx")
    lines = list(book["lines"].iter_rows(values_only=True))
    assert lines[2] == (
        "E2", "Demo, Bo", "base_pay", "底薪 · base pay", "pay", None, None, None, 3000, "cs_2017@1",
        "worked by hand: 3000.00",
    )  # fmt: skip
    assert len(lines) == 1 + 5
    policy = list(book["policy"].iter_rows(values_only=True))
    assert ("base_wage", None, "3000", "原文 · seed") in {row[3:] for row in policy}
    pay = next(row for row in policy if row[3] == "base_pay")
    assert pay[0] == "cs_2017@1900-01-01"
    assert pay[2] == "基本工资 · base pay" and pay[5].endswith("prorated(base_wage)")


def test_the_manifest_has_the_control_totals(home: Path) -> None:
    manifest = json.loads((drafted(home) / "manifest.json").read_text())
    assert manifest["control_total"] == "3012.33"
    totals = manifest["control_totals"]
    assert totals["components"]["base_pay"] == {"amount": "3000.00", "employees": 2, "group": "pay"}
    assert totals["gross_pay"] == {"amount": "3012.33", "employees": 3}
    assert totals["plans"] == {"cs_2017": {"employees": 3, "gross_pay": "3012.33"}}
    assert totals["teams"] == {
        "North": {"employees": 2, "gross_pay": "2999.99"},
        "South": {"employees": 1, "gross_pay": "12.34"},
    }
    assert manifest["form"] == {"language": "codes", "names": True, "layout": None}


@pytest.mark.parametrize("form", FORMS)
def test_the_release_gate_reads_the_lists_in_any_form(home: Path, form: dict[str, Any]) -> None:
    gate = json.loads((drafted(home, **form) / "manifest.json").read_text())["gate"]
    assert gate == json.loads((drafted(home) / "manifest.json").read_text())["gate"]
    assert not [each for each in gate["blocked"] if each["structural"]]


@pytest.mark.parametrize("form", FORMS)
def test_equal_figures_give_equal_bytes(home: Path, form: dict[str, Any]) -> None:
    first, second = ({file.name: file.read_bytes() for file in drafted(home, **form).iterdir()} for _ in range(2))
    assert first == second


def test_a_published_month_is_written_again_in_another_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=tmp_path / "home")
    Worked({"2026-07": {"E2": PAY}}).write(settings)
    close(settings, JULY)
    before = files_of(settings)
    layout = tmp_path / "layout.yaml"
    layout.write_text(
        "columns: [{column: employee_id, name: 工号}]\nrest: 应发\ncontributions: false\n", encoding="utf-8"
    )
    for name, value in (("HOME", settings.home), ("EXTRACT_LANGUAGE", "zh"), ("EXTRACT_LAYOUT", layout)):
        monkeypatch.setenv(f"CSPERF_{name}", str(value))
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["payroll", "export", "2026-07", "--out", str(out), "--as", "Demo Clerk"])
    assert done.exit_code == 0, done.output
    assert (out / "export_2026-07.csv").read_text(encoding="utf-8-sig").splitlines()[2] == "E2,2999.99"
    assert first_line(out / "payroll_2026-07.csv").startswith("工号,姓名")
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in [out, *out.iterdir()]} == {
        **{"out": "0o700", "export_2026-07.csv": "0o600", "payroll_2026-07.csv": "0o600"},
        **{"payroll_2026-07.xlsx": "0o600"},
    }
    assert [(each.by, each.employee, each.kind) for each in read_lookups(settings).found] == [
        ("Demo Clerk", "*", "export")
    ]
    assert {name: content for name, content in files_of(settings).items() if "lookups" not in name} == before


def test_only_what_is_published_is_written_again(home: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="2026-08 is not published"),
        write_again(Settings(home=home), AUGUST, tmp_path),
    ):
        pass
    other = Settings(home=tmp_path / "home")
    Worked({"2026-07": {"E2": PAY}}).write(other)
    close(other, JULY)
    Worked({"2026-07": {"E2": {"base_pay": "1.00"}}}).write(other)
    with (
        pytest.raises(CsperfError, match="something else on 2026-07 than revision 1"),
        write_again(other, JULY, tmp_path / "out"),
    ):
        pass
    with pytest.raises(UsageError, match="lies in CSPERF_HOME"), write_again(other, JULY, other.payroll_dir / "out"):
        pass
