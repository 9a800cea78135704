"""Backups by hand: what is kept, what is copied, what a damage says, and that a restore is whole or not there."""

from __future__ import annotations

import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from csperf import backup
from csperf.cli import app
from csperf.errors import CsperfError, UsageError
from csperf.settings import Settings
from csperf.storage import RESTORING, home_lock

WHEN, LATER = datetime(2026, 7, 21, 9, tzinfo=UTC), datetime(2026, 7, 22, 9, tzinfo=UTC)
RECORDS = {
    "landing/calls/2026-06-30/current.json": "{}",
    "landing/calls/2026-06-30/abc/accepted.parquet": "rows",
    "policies/d1/cs_2017.yaml": "plan",
    "payroll/2026-06/rev-001/manifest.json": "pay",
    "payroll/2026-06/draft/manifest.json": "the same",
    "tiers/2026Q2/rev-001/decisions.parquet": "the same",
    "quality/journal.jsonl": "decided",
    "a-journal-of-tomorrow/lines.jsonl": "also kept",
}
CACHES = ("warehouse/csperf.duckdb", "serving/csperf_bi.duckdb", "reports/2026-06-30.html", "dbt/target/x", "work/x/y")
SCRATCH = ("quality/data_docs/index.html", "landing/calls/2026-06-30/.current.json.x1", ".lock")


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def contents(folder: Path) -> dict[str, str]:
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_text() for path in found}


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path / "home", policy_dir=tmp_path / "own")
    write(settings.home, RECORDS | dict.fromkeys((*CACHES, *SCRATCH), "computed"))
    write(tmp_path / "own", {"ours.yaml": "our plan", "shared/part.yaml": "a part", ".git/x": "not a plan"})
    return settings


def elsewhere(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "other")


def test_all_that_is_no_cache_comes_back_as_it_was_and_private(home: Settings, tmp_path: Path) -> None:
    taken = backup.take(home, tmp_path / "store", WHEN)
    assert taken.copied == len({*RECORDS.values(), "our plan", "a part"})
    done = backup.restore(elsewhere(tmp_path), tmp_path / "store")
    assert done.plans == tmp_path / "other" / "plans"
    plans = {"plans/ours.yaml": "our plan", "plans/shared/part.yaml": "a part"}
    assert contents(tmp_path / "other") == RECORDS | plans
    for folder in ("store", "other"):
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / folder).rglob("*")}
        assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
        assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_the_next_backup_copies_what_is_new_and_earlier_ones_stay(home: Settings, tmp_path: Path) -> None:
    backup.take(home, tmp_path / "store", WHEN)
    write(home.home, {"payroll/2026-06/rev-002/manifest.json": "pay again", "policies/d1/cs_2017.yaml": "changed"})
    shutil.rmtree(home.home / "payroll" / "2026-06" / "draft")
    taken = backup.take(home, tmp_path / "store", LATER)
    assert (taken.copied, taken.copied_bytes) == (2, len("pay again") + len("changed"))
    backup.restore(elsewhere(tmp_path), tmp_path / "store")
    now = contents(tmp_path / "other")
    assert (
        now["payroll/2026-06/rev-002/manifest.json"] == "pay again" and "payroll/2026-06/draft/manifest.json" not in now
    )
    shutil.rmtree(tmp_path / "other")
    backup.restore(elsewhere(tmp_path), tmp_path / "store", "2026-07-21T090000Z")
    assert contents(tmp_path / "other").items() >= RECORDS.items()
    with pytest.raises(UsageError, match="no backup never; it has 2026-07-21T090000Z, 2026-07-22T090000Z"):
        backup.restore(elsewhere(tmp_path), tmp_path / "store", "never")


def test_only_the_newest_are_kept_and_each_is_whole(home: Settings, tmp_path: Path) -> None:
    store, draft = tmp_path / "store", "payroll/2026-06/draft/manifest.json"
    for number, when in enumerate((WHEN, LATER, LATER.replace(day=23))):
        write(home.home, {draft: f"draft {number}"})
        backup.take(home, store, when)
    done = backup.prune(home, store, 2)
    assert ([each.name for each in done.dropped], done.contents, done.size) == (["2026-07-21T090000Z"], 1, 7)
    assert backup.prune(home, store, 2) == backup.Pruned([])
    checked = backup.check(store)
    assert (len(checked.backups), checked.damages) == (2, [])
    backup.restore(elsewhere(tmp_path), store, "2026-07-22T090000Z")
    assert contents(tmp_path / "other")[draft] == "draft 1"


def test_a_prune_that_was_killed_is_done_by_the_next(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    backup.take(home, store, WHEN)
    write(home.home, {"policies/d1/cs_2017.yaml": "changed"})
    backup.take(home, store, LATER)
    unlink = Path.unlink

    def power_cut(path: Path, missing_ok: bool = False) -> None:
        if path.parent.parent.name == "objects":
            raise SystemExit
        unlink(path, missing_ok)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(Path, "unlink", power_cut)
        backup.prune(home, store, 1)
    assert backup.check(store).damages == []
    assert backup.prune(home, store, 1).contents == 1
    assert backup.check(store).damages == []


def test_a_published_file_that_only_old_backups_have_is_not_dropped(home: Settings, tmp_path: Path) -> None:
    store = tmp_path / "store"
    backup.take(home, store, WHEN)
    shutil.rmtree(home.home / "tiers")
    backup.take(home, store, LATER)
    words = "tiers/2026Q2/rev-001/decisions.parquet was published and only .* 2026-07-21T090000Z the newest"
    with pytest.raises(CsperfError, match=words):
        backup.prune(home, store, 1)
    assert len(backup.backups(store)) == 2 and backup.check(store).damages == []


@pytest.mark.parametrize(("damage", "words"), [("changed", "is damaged"), ("gone", "is missing from")])
def test_a_damaged_backup_is_told_by_file_and_restores_nothing(
    home: Settings, tmp_path: Path, damage: str, words: str
) -> None:
    taken = backup.take(home, tmp_path / "store", WHEN)
    assert backup.check(tmp_path / "store").damages == []
    digest = taken.backup.files["payroll/2026-06/rev-001/manifest.json"].sha256
    path = tmp_path / "store" / "objects" / digest[:2] / digest
    path.unlink() if damage == "gone" else path.write_text("paY")
    [told] = backup.check(tmp_path / "store").damages
    assert told.startswith(f"payroll/2026-06/rev-001/manifest.json {words}")
    with pytest.raises(CsperfError, match=f"payroll/2026-06/rev-001/manifest.json {words}.*nothing was restored"):
        backup.restore(elsewhere(tmp_path), tmp_path / "store")
    assert contents(tmp_path / "other") == {}
    path.unlink(missing_ok=True)
    backup.take(home, tmp_path / "store", LATER)
    assert backup.check(tmp_path / "store").damages == []


def test_a_changed_list_of_files_is_noticed(home: Settings, tmp_path: Path) -> None:
    path = backup.take(home, tmp_path / "store", WHEN).backup.path
    path.write_text(path.read_text().replace("rev-001", "rev-009"))
    with pytest.raises(CsperfError, match="its seal does not fit"):
        backup.restore(elsewhere(tmp_path), tmp_path / "store")


def test_only_an_empty_home_is_restored_into(home: Settings, tmp_path: Path) -> None:
    backup.take(home, tmp_path / "store", WHEN)
    before = contents(home.home)
    with pytest.raises(UsageError, match=r"is not empty .*; name an empty folder in CSPERF_HOME"):
        backup.restore(home, tmp_path / "store")
    assert contents(home.home).items() >= RECORDS.items() and before.keys() >= contents(home.home).keys()


def test_a_restore_killed_while_it_puts_things_in_place_blocks_all_else_and_is_done_again(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup.take(home, tmp_path / "store", WHEN)
    other, rename, left = elsewhere(tmp_path), Path.rename, 3

    def power_cut(path: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if left == 0:
            raise SystemExit
        return rename(path, target)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(Path, "rename", power_cut)
        backup.restore(other, tmp_path / "store")
    assert (other.home / RESTORING).exists()
    with pytest.raises(CsperfError, match="stopped on the way; run csperf restore again"), home_lock(other):
        pass
    backup.restore(other, tmp_path / "store")
    assert contents(other.home).items() >= RECORDS.items()
    with home_lock(other):
        pass


def test_a_wrong_folder_is_told(home: Settings, tmp_path: Path) -> None:
    write(tmp_path / "else", {"x": "y"})
    with pytest.raises(UsageError, match="holds something else"):
        backup.take(home, tmp_path / "else", WHEN)
    with pytest.raises(UsageError, match="lie in each other"):
        backup.take(home, home.home / "store", WHEN)
    with pytest.raises(UsageError, match="There is no backup in"):
        backup.restore(elsewhere(tmp_path), tmp_path / "else")
    with pytest.raises(CsperfError, match="nothing to back up"):
        backup.take(elsewhere(tmp_path), tmp_path / "store", WHEN)


def test_the_command_keeps_the_newest_and_checks_what_it_kept(home: Settings, tmp_path: Path) -> None:
    backup.take(home, tmp_path / "store", WHEN)
    environment = {"CSPERF_HOME": str(home.home), "CSPERF_POLICY_DIR": str(home.policy_dir)}

    def csperf(*words: str) -> str:
        done = CliRunner().invoke(app, ["backup", "--out", str(tmp_path / "store"), *words], env=environment)
        assert (done.exit_code == 0) == (done.exception is None)
        return str(done.exception or done.output)

    assert "Older backups dropped: 1; contents dropped with them: 0 (0 bytes)" in csperf("--keep", "1")
    assert "of 1 backups are whole" in csperf("--check")
    assert csperf("--check", "--keep", "1").startswith("--check takes no backup")
