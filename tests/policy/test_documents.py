"""A plan file that cannot be read, or would be read as something else than it looks, is one clear sentence."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from csperf.policy.documents import MAX_BYTES, read_document
from csperf.policy.models import Plan
from csperf.policy.problems import PolicyError
from csperf.policy.reading import read_file
from tests.policy.plan_texts import PLAN, problems_of, write

ALIASES = "a: &a {x: 1, y: 2, z: 3}\n" + "".join(
    f"{letter}: &{letter} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, letter in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (PLAN + "  - [", "night_watch.yaml:12: not valid YAML: "),
        (PLAN.replace("    figures:", "\tfigures:"), "night_watch.yaml:6: a tab stands where YAML wants spaces."),
        (
            PLAN.replace("source: written", "source: written: "),
            "night_watch.yaml:3: not valid YAML: mapping values are not allowed here; "
            "put a text that holds ': ' into quotes.",
        ),
        (
            PLAN.replace("{value: 100.10, provenance: assumption}", "{bands: {(20, 30]: 1}, provenance: seed}"),
            'put a band into quotes, like "(20, 30]": 0.8.',
        ),
        (
            PLAN.replace("{value: 100.10, provenance: assumption}", "{bands: {[20, 30]: 1}, provenance: seed}"),
            "night_watch.yaml:7 at versions.0.figures.wage.bands: a key must be a text; put a band into quotes, "
            'like "[0, 20]": 1.2.',
        ),
        (PLAN + "---\n" + PLAN, "night_watch.yaml:12: a second document ('---') begins here; write one plan a file."),
        ("plan: !!python/object/apply:os.getcwd []\n", "night_watch.yaml:1: the tag tag:yaml.org,2002:python/object"),
        ("", "night_watch.yaml: the file is empty."),
        ("# only words\n", "night_watch.yaml: the file is empty."),
        ("just words\n", "night_watch.yaml:1: a block of keys is wanted here, not 'just words'."),
        ("a: " + "[" * 5000 + "]" * 5000, "night_watch.yaml:1: blocks lie more than 30 deep within each other"),
        ("a: " + "{a: " * 3000 + "1" + "}" * 3000, "night_watch.yaml:1: blocks lie more than 30 deep"),
        ("x: " + "y" * MAX_BYTES, "night_watch.yaml: the file is larger than 256 kB, too large for a plan"),
        (ALIASES, "the file has more than 50,000 entries, aliases filled in; that is too much for a plan."),
        ("plan: &a [*a]\n", "night_watch.yaml:1: an alias stands inside of what it repeats."),
        ("plan: {<<: 3}\n", "night_watch.yaml:1: only a block, or a list of blocks, can be taken over by '<<'."),
        ("plan: *nothing\n", "night_watch.yaml:1: not valid YAML: found undefined alias 'nothing'."),
        ("plan: a\x00b\n", "night_watch.yaml:1: the line holds the character U+0000, no text."),
    ],
)
def test_an_unreadable_file_is_one_sentence_with_its_line(tmp_path, content, told):
    write(tmp_path, content)
    started = time.monotonic()
    (problem,) = problems_of(tmp_path)
    assert told in str(problem)
    assert "\n" not in str(problem)
    assert not problem.warning
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (PLAN.encode("utf-16"), "night_watch.yaml: the file is UTF-16; save it as UTF-8."),
        (
            PLAN.encode("gb18030"),
            "night_watch.yaml:2: the line is not UTF-8 (GB18030, perhaps); save the file as UTF-8.",
        ),
    ],
)
def test_another_encoding_is_named(tmp_path, data, told):
    (tmp_path / "night_watch.yaml").write_bytes(data)
    assert [str(problem) for problem in problems_of(tmp_path)] == [told]


def test_a_byte_order_mark_is_no_fault(tmp_path):
    (tmp_path / "night_watch.yaml").write_bytes(PLAN.encode("utf-8-sig"))
    assert problems_of(tmp_path) == []


def test_a_plan_that_is_a_folder_is_one_sentence(tmp_path):
    (tmp_path / "night_watch.yaml").mkdir()
    (problem,) = problems_of(tmp_path)
    assert str(problem) == "night_watch.yaml: the file cannot be read: Is a directory."


def test_every_doubled_key_is_told_with_both_lines(tmp_path):
    text = PLAN.replace(
        "      wage: {value: 100.10, provenance: assumption}\n",
        "      wage: {value: 100.10, value: 200, provenance: assumption}\n      wage: {value: 3, provenance: seed}\n",
    )
    write(tmp_path, text)
    assert [str(problem) for problem in problems_of(tmp_path)] == [
        "night_watch.yaml:7 at versions.0.figures.wage.value: 'value' stands twice in this block, first in line 7.",
        "night_watch.yaml:8 at versions.0.figures.wage: 'wage' stands twice in this block, first in line 7.",
    ]


def test_a_doubled_key_refuses_the_file(tmp_path):
    path = write(tmp_path, PLAN + "source: again\n")
    with pytest.raises(PolicyError, match=r"night_watch\.yaml:12 at source: 'source' stands twice"):
        read_file(path, Plan)


def test_yaml_is_read_as_it_looks(tmp_path):
    path = write(tmp_path, "a: 010\nb: no\nc: 0.10\nd: 2026-01-01\ne: 1:30\nf: true\ng:\nh: 1_000\n12: x\n")
    document, problems = read_document(path)
    assert problems == []
    assert document.content == {
        **{"a": 10, "b": "no", "c": Decimal("0.10"), "d": "2026-01-01", "e": "1:30", "f": True, "g": None},
        **{"h": 1000, 12: "x"},
    }
    assert str(document.content["c"]) == "0.10"


def test_an_alias_repeats_a_block_and_mending_one_leaves_the_other(tmp_path):
    labels = "labels: {zh: 基本工资, en: base pay}"
    text = PLAN.replace(labels, labels.replace("labels: ", "labels: &same "))
    more = "      bonus:\n        labels: *same\n        formula: wage\n        frequency: weekly\n"
    write(tmp_path, text + more)
    (problem,) = problems_of(tmp_path)
    assert "night_watch.yaml:15 at versions.0.components.bonus.frequency: 'weekly' is not one of" in str(problem)


def test_files_at_the_wrong_place_or_with_another_ending_are_told(tmp_path):
    write(tmp_path, PLAN.replace("plan: night_watch", "shared: night_watch"))
    write(tmp_path, PLAN.replace("night_watch", "day_watch"), "shared/day_watch.yaml")
    write(tmp_path, PLAN, "evening.yml")
    assert [str(problem) for problem in problems_of(tmp_path)] == [
        "night_watch.yaml:1 at shared: this is a shared part; its place is in the folder 'shared' beside the plans.",
        "shared/day_watch.yaml:1 at plan: this is a plan; its place is beside the folder 'shared', not in it.",
        "evening.yml: warning: the file is not read; name it evening.yaml.",
    ]


def test_an_empty_folder_is_told(tmp_path):
    (problem,) = problems_of(tmp_path)
    assert problem.warning
    assert f"there is no plan (*.yaml) in {tmp_path}" in str(problem)


def test_a_mistake_in_what_is_taken_over_is_told_where_it_is_written(tmp_path):
    first = PLAN.replace("  - effective_from", "  - &first\n    effective_from").replace("(wage)", "(wages)")
    write(tmp_path, first + "  - <<: *first\n    effective_from: 2027-01-01\n")
    reason = "there is no measure, figure or term 'wages'; did you mean 'wage'?"
    assert [str(problem) for problem in problems_of(tmp_path)] == [
        f"night_watch.yaml:12 at versions.{number}.components.base_pay.formula: {reason}" for number in (0, 1)
    ]
