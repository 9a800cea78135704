"""The payroll system's own columns: a YAML file that names them in their order and says what goes into each.

See docs/extract.md. The file is checked when it is read; which components a month has is known only when it is closed,
and is checked then.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError, field_validator, model_validator

from csperf.errors import CsperfError, UsageError
from csperf.extract.content import CONTRIBUTION
from csperf.policy.documents import read_document
from csperf.policy.problems import Problem, mistakes, nearest
from csperf.published import RETRO_PREFIX

DATES = ("pay_date", "leave_date", "pay_month")
FACTS = ("employee_id", "name", "team", "post", "grade", "plan", "gross_pay", *DATES)
"""What a column can hold besides components."""
_DATE_FORMAT = re.compile(r"(%[Yymd]|[^%])+")
_OURS = re.compile(r"(payroll|leavers|corrections|retro_details|pay_lines)_|manifest\.json$", re.IGNORECASE)
Heading = Annotated[StrictStr, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Strict):
    """One column: its heading and one of `column`, `sum` and `text`."""

    name: Heading = Field(description="Heading")
    column: StrictStr | None = Field(None, description="Code of a fact (employee_id, gross_pay, …) or of a component")
    sum: tuple[StrictStr, ...] | None = Field(None, min_length=1, description="Components added up; * for any letters")
    text: StrictStr | None = Field(None, description="The same text in each row")
    format: StrictStr | None = Field(None, description="How a date is written, like %Y%m%d")
    default: StrictStr | None = Field(None, description="What stands in an empty cell; of an amount 0")

    @field_validator("default", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value

    @property
    def asked(self) -> tuple[str, ...]:
        """The components that it names, patterns included."""
        if self.sum is not None:
            return self.sum
        return (self.column,) if self.column is not None and self.column not in FACTS else ()

    @model_validator(mode="after")
    def _one_content(self) -> Column:
        given = [key for key in ("column", "sum", "text") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"a column needs one of column, sum and text, and has {' and '.join(given) or 'none'}")
        if self.format is not None and self.column not in DATES:
            raise ValueError(f"format is for dates ({', '.join(DATES)}); amounts always have two decimal places")
        if self.format is not None and not _DATE_FORMAT.fullmatch(self.format):
            raise ValueError(f"format '{self.format}' holds more than %Y, %y, %m, %d; write it like %Y%m%d")
        if self.text is not None and self.default is not None:
            raise ValueError("a column with a text has it in each row; take its default out")
        if (self.asked or self.column == "gross_pay") and not re.fullmatch(r"0(\.0+)?", self.default or "0"):
            raise ValueError("the default of an amount is 0 or nothing: anything else would be paid")
        return self


class Layout(_Strict):
    """A file for the payroll system."""

    file: StrictStr = Field("export_{month}.csv", description="File name; {month} stands for the pay month")
    encoding: Literal["utf-8-sig", "utf-8", "gb18030"] = Field("utf-8-sig", description="Encoding of the file")
    delimiter: StrictStr = Field(",", min_length=1, max_length=1, description="What stands between cells")
    decimal_point: Literal[".", ","] = Field(".", description="Decimal point of amounts")
    header: bool = Field(True, description="Whether the first line has the headings")
    leavers: bool = Field(True, description="Whether those who have left and get a correction stand in it, last")
    contributions: bool = Field(True, description="Whether contributions stand in it; false leaves them out")
    columns: tuple[Column, ...] = Field(min_length=1, description="The columns in their order")
    rest: Heading | None = Field(None, description="Heading of the column that takes pay no other column takes")

    @field_validator("file")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not re.fullmatch(r"\w([\w.-]|\{month\})*", value) or _OURS.match(value):
            raise ValueError(
                f"'{value}' is no name for the file: letters, digits, . _ - and {{month}}, without a folder, and no "
                "name that another file of the extract has; write it like export_{month}.csv"
            )
        return value

    @field_validator("delimiter")
    @classmethod
    def _telling_delimiter(cls, value: str) -> str:
        if value.isalnum() or value in "\"'\r\n.-":
            raise ValueError(f"'{value}' cannot stand between cells; take , or ; or | or a tab")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Layout:
        if self.delimiter == self.decimal_point:
            raise ValueError("delimiter and decimal_point are both ','; write delimiter: ';'")
        headings = [each.name for each in self.columns]
        double = next((name for name in headings if headings.count(name) > 1), None)
        if double is not None:
            raise ValueError(f"two columns are called '{double}'; give one another name")
        rest = next((each for each in self.columns if each.name == self.rest), None)
        if rest is not None and not rest.asked:
            raise ValueError(f"the rest cannot go into '{self.rest}', which takes no components; give it a sum")
        asked = [name for each in self.columns for name in each.asked]
        double = next((name for name in asked if asked.count(name) > 1), None)
        if double is not None:
            raise ValueError(f"'{double}' stands in two columns and would be paid twice; take it out of one")
        return self

    def filled(self, groups: Mapping[str, str], known: Iterable[str]) -> list[tuple[Column, tuple[str, ...]]]:
        """The columns, that of the rest included, each with the components of a month that it takes.

        `groups` has the group of each component of the month, `known` all components there are. CsperfError when a
        component would be left out or paid twice, or a name is known nowhere.
        """
        wanted = {name for name, group in groups.items() if self.contributions or group != CONTRIBUTION}
        takes = {each.name: self._named(each, wanted, groups, known) for each in self.columns}
        left = wanted - {name for names in takes.values() for name in names}
        for each in self.columns:
            for pattern in (name for name in each.asked if "*" in name):
                found = set(fnmatch.filter(sorted(wanted), pattern)) & left
                takes[each.name] |= found
                left -= found
        columns = list(self.columns)
        if self.rest is not None:
            if self.rest not in takes:
                columns.append(Column.model_validate({"name": self.rest, "sum": ["*"], "default": "0"}))
            takes.setdefault(self.rest, set())
            takes[self.rest] |= {name for name in left if groups[name] != CONTRIBUTION}
            left = {name for name in left if groups[name] == CONTRIBUTION}
        if left:
            raise CsperfError(_not_taken(left, groups))
        for each in columns:
            kinds = {groups[name] == CONTRIBUTION for name in takes[each.name]}
            if len(kinds) > 1:
                raise CsperfError(
                    f"Column '{each.name}' of the layout adds up pay and contributions "
                    f"({', '.join(sorted(takes[each.name]))}); give contributions a column of their own, or leave them "
                    "out with `contributions: false`."
                )
        return [(each, tuple(sorted(takes[each.name]))) for each in columns]

    def _named(self, each: Column, wanted: set[str], groups: Mapping[str, str], known: Iterable[str]) -> set[str]:
        """The components of the month that a column names one by one."""
        names = {name for name in each.asked if "*" not in name}
        all_known = {*known, *groups}
        for name in sorted(names):
            bare = name.removeprefix(RETRO_PREFIX)
            if name not in all_known and bare not in all_known:
                other = "; write a component's code (csperf policy show PLAN) or one of " + ", ".join(FACTS)
                raise UsageError(
                    f"Column '{each.name}' of the layout: no plan has a component '{name}'"
                    f"{nearest(bare, {*all_known, *FACTS}, other)}"
                )
            if name in groups and name not in wanted:
                raise UsageError(
                    f"Column '{each.name}' of the layout takes the contribution {name}, and `contributions: false` "
                    "leaves contributions out; drop one of the two."
                )
        return names & wanted


def _not_taken(left: set[str], groups: Mapping[str, str]) -> str:
    pay = sorted(name for name in left if groups[name] != CONTRIBUTION)
    if pay:
        return (
            f"No column of the layout takes {', '.join(pay)}, and it would not be paid; name it in a column, or the "
            "column for what is left with `rest: HEADING`."
        )
    return (
        f"No column of the layout takes the contributions {', '.join(sorted(left))}; name them in a column, or leave "
        "contributions out with `contributions: false`."
    )


def load_layout(path: Path) -> Layout:
    """Read and check a layout; a UsageError that names file, line, key, reason and what to do."""
    document, problems = read_document(path)
    if document is not None and not problems:
        if not isinstance(document.content, dict):
            problems = [Problem(path, 1, (), "a block of keys is wanted here, with columns at least")]
        else:
            try:
                return Layout.model_validate(document.content)
            except ValidationError as error:
                # A key that is written wrong is missing as well: the wrong one says more.
                found = sorted(mistakes(error, Layout), key=lambda each: each.kind == "missing")
                problems = [document.problem(each.keys, each.reason) for each in found]
    raise UsageError(f"The layout (CSPERF_EXTRACT_LAYOUT) cannot be used. {problems[0]}")
