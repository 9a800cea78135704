"""The payroll extract of a month: csv, xlsx, Parquet and a file for the payroll system, equal bytes for equal figures.

It is written from the tables that a closing prepares in schema `draft` of its own connection: `lines` (the columns
of `payroll.pay_lines`), `retro` (what each retro line consists of), `corrections` (the causes of what is corrected),
`people` (employee_id, name, team, post, grade, plan, active, leave_date, pay_date) and `columns` (component, active,
position, label_zh, label_en: the component columns in order).

What it says is `content`, how it is shown (language, names, layout of the payroll system) its `form`; two forms of the
same figures are the same revision.
"""

from csperf.extract.content import figures_digest
from csperf.extract.form import Form, form_of, kept_form
from csperf.extract.writing import Extract, write_decisions, write_extract

__all__ = ["Extract", "Form", "figures_digest", "form_of", "kept_form", "write_decisions", "write_extract"]
