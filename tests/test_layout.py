"""The payroll system's own columns: what the layout says is written, adds up, and every mistake in it is told."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from csperf import closing
from csperf.errors import CsperfError, UsageError
from csperf.extract import form_of, kept_form
from csperf.extract.export import _proven
from csperf.extract.layout import load_layout
from csperf.periods import Month
from csperf.settings import PROJECT_ROOT, Settings
from tests.worked_warehouse import Worked, close

JULY, AUGUST = Month(2026, 7), Month(2026, 8)
WHEN = datetime(2026, 9, 21, 9, tzinfo=UTC)
PAY = {"base_pay": "3000.00", "performance_pay": "-0.01", "pension_employee": "240.00"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """August to be closed: E1 and E2 are paid (E1's name is a formula), E3 has left and gets 12.34 for July."""
    home = tmp_path_factory.mktemp("layout") / "home"
    settings = Settings(home=home)
    Worked({"2026-07": {"E2": PAY, "E3": {"base_pay": "100.00"}}}).write(settings)
    close(settings, JULY)
    pay = {"2026-07": {"E2": PAY, "E3": {"base_pay": "112.34"}}, "2026-08": {"E1": {"base_pay": "0.00"}, "E2": PAY}}
    Worked(pay, left={"E3": "2026-08"}, names={"E1": "=1+1"}).write(settings)
    close(settings, JULY)
    return home


def export(home: Path, folder: Path, text: str) -> Path:
    """The draft of August in a layout."""
    layout = folder / "layout.yaml"
    layout.write_text(text, encoding="utf-8")
    return closing.draft_month(Settings(home=home, extract_layout=layout), AUGUST, WHEN).path


def documented() -> str:
    """The example of docs/extract.md."""
    text = (PROJECT_ROOT / "docs" / "extract.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    return str(example)


def test_the_documented_example_is_written_in_its_columns_and_order(home: Path, tmp_path: Path) -> None:
    path = export(home, tmp_path, documented())
    content = (path / "gz_2026-08.csv").read_bytes().decode("gb18030")
    assert content.split("\r\n") == [
        "公司;工号;姓名;期间;基本工资;绩效;其他;养老;应发;发薪日",
        "C01;E1;'=1+1;202608;0,00;0,00;0,00;;0,00;20260925",
        "C01;E2;Demo, Bo;202608;3000,00;-0,01;0,00;240,00;2999,99;20260925",
        "C01;E3;示例三;202608;0,00;0,00;12,34;;12,34;20260925",
        "",
    ]
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["parts"]["export"] == "gz_2026-08.csv"
    assert manifest["files"]["gz_2026-08.csv"]["rows"] == 3
    assert manifest["control_totals"]["export"] == {
        "file": "gz_2026-08.csv",
        "employees": 3,
        "pay_columns": {"基本工资": "3000.00", "绩效": "-0.01", "其他": "12.34"},
        "gross_pay": "3012.33",
    }
    assert (path / "gz_2026-08.csv").stat().st_mode & 0o777 == 0o600
    assert (path / "payroll_2026-08.csv").read_text(encoding="utf-8-sig").startswith("employee_id,name,")


def test_the_layout_is_kept_in_the_manifest_whole(home: Path, tmp_path: Path) -> None:
    path = export(home, tmp_path, documented())
    (tmp_path / "again.yaml").write_text(documented(), encoding="utf-8")
    kept = kept_form(json.loads((path / "manifest.json").read_text()))
    assert kept == form_of(Settings(extract_layout=tmp_path / "again.yaml"))


def test_the_least_layout(home: Path, tmp_path: Path) -> None:
    path = export(
        home,
        tmp_path,
        "header: false\nleavers: false\ncontributions: false\ndelimiter: '|'\nencoding: utf-8\n"
        "columns: [{column: employee_id, name: id}]\nrest: pay\n",
    )
    assert (path / "export_2026-08.csv").read_bytes() == b"E1|0.00\r\nE2|2999.99\r\n"


@pytest.mark.parametrize("altered", ["E2;2999,98", "E2;", "E2;2999,99\r\nE2;2999,99"])
def test_a_file_whose_pay_is_not_the_gross_pay_is_refused(tmp_path: Path, altered: str) -> None:
    text = "delimiter: ';'\ndecimal_point: ','\ncolumns: [{column: employee_id, name: id}]\nrest: pay\n"
    (tmp_path / "layout.yaml").write_text(text)
    layout = load_layout(tmp_path / "layout.yaml")
    path = tmp_path / "export.csv"
    gross = [("E1", Decimal("0.01")), ("E2", Decimal("2999.99"))]
    content = "id;pay\r\nE1;0,01\r\nE2;2999,99\r\n"
    path.write_text(content, encoding="utf-8-sig", newline="")
    assert _proven(path, layout, ["pay"], [1], gross) == {"pay": "3000.00"}
    path.write_text(content.replace("E2;2999,99", altered), encoding="utf-8-sig", newline="")
    with pytest.raises(CsperfError, match=r"the pay columns of .* are not the gross pay; nothing was published") as bad:
        _proven(path, layout, ["pay"], [1], gross)
    assert "2999" not in str(bad.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "columns: [{column: base_pay, name: base}]",
            r"takes grade_allowance, performance_pay, retro_base_pay, and it would not be paid; .* `rest: HEADING`",
        ),
        ("columns: [{sum: ['*'], name: pay}]", r"'pay' of the layout adds up pay and contributions \(base_pay, "),
        ("columns: [{column: gross_pay, name: a}]\nrest: b", "takes the contributions pension_employee; name them"),
        (
            "columns: [{column: base_pya, name: a}]\nrest: b",
            r"no plan has a component 'base_pya'; did you mean 'base_p",
        ),
        ("contributions: false\ncolumns: [{column: pension_employee, name: a}]", "`contributions: false` leaves"),
    ],
)
def test_a_layout_that_does_not_fit_the_month_is_refused(home: Path, tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(CsperfError, match=says):
        export(home, tmp_path, text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("columns: []", r"layout\.yaml:1 at columns: at least one entry is wanted here"),
        ("rest: a", "'columns' is missing"),
        ("- a", "a block of keys is wanted here"),
        ("columns: [{name: a}]", r"at columns\.0: a column needs one of column, sum and text, and has none"),
        ("columns: [{name: a, column: team, text: x}]", "has column and text"),
        ("columns: [{nmae: a, column: team}]", r"there is no key 'nmae' here; did you mean 'name'\?"),
        ("columns: [{name: a, text: 1}]", "a text is wanted here, not '1'"),
        ("columns: [{name: a, column: team, format: '%Y'}]", "format is for dates"),
        ("columns: [{name: a, column: pay_date, format: '%H'}]", "holds more than %Y"),
        ("columns: [{name: a, column: base_pay, default: 1}]", "the default of an amount is 0"),
        ("columns: [{name: a, text: b, default: c}]", "take its default out"),
        ("columns: [{name: a, column: team}, {name: a, column: post}]", "two columns are called 'a'"),
        ("columns: [{name: a, column: b}, {name: c, sum: [b]}]", "'b' stands in two columns and would be paid twice"),
        ("columns: [{name: a, column: team}]\nrest: a", "cannot go into 'a'"),
        ("columns: [{name: a, column: team}]\nfile: ../x.csv", "is no name for the file"),
        ("columns: [{name: a, column: team}]\nfile: 'payroll_{month}.csv'", "is no name for the file"),
        ("columns: [{name: a, column: team}]\nencoding: gbk", "'gbk' is not one of utf-8-sig, utf-8, gb18030"),
        ("columns: [{name: a, column: team}]\ndecimal_point: ','", "delimiter and decimal_point are both"),
        ("columns: [{name: a, column: team}]\ndelimiter: x", "'x' cannot stand between cells"),
        ("columns: [{name: a, column: team, column: post}]", "'column' stands twice in this block"),
        ("columns: [", "not valid YAML"),
    ],
)
def test_a_mistake_in_a_layout_is_told_with_file_key_and_reason(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "layout.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=says) as refused:
        load_layout(path)
    assert str(refused.value).startswith("The layout (CSPERF_EXTRACT_LAYOUT) cannot be used. layout.yaml")
    assert len(str(refused.value).splitlines()) == 1


def test_a_layout_with_names_is_refused_where_names_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "layout.yaml"
    path.write_text("columns: [{column: name, name: 姓名}]\nrest: pay", encoding="utf-8")
    with pytest.raises(UsageError, match=r"layout\.yaml has a column with names, and CSPERF_EXTRACT_NAMES is false"):
        form_of(Settings(extract_layout=path, extract_names=False))


def test_a_layout_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yaml: the file cannot be read: No such file"):
        load_layout(Path("nowhere.yaml"))
