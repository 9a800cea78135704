"""The policies as a record: kept whole before they are used, and never changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from csperf.errors import CsperfError
from csperf.kept_policies import by_policies, damages, keep_policies, kept_files
from csperf.policy.library import PolicyError, load_plans, plan_files
from csperf.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    own = tmp_path / "own"
    own.mkdir()
    return Settings(home=tmp_path / "home", policy_dir=own)


def shipped(name: str) -> Path:
    return next(path for path in plan_files(Settings()) if path.name == name)


def change(settings: Settings, old: str, new: str) -> None:
    """Give the company a main scheme of its own that differs in one figure."""
    assert settings.policy_dir is not None
    text = shipped("cs_2017.yaml").read_text(encoding="utf-8")
    assert text.count(old) == 1
    (settings.policy_dir / "cs_2017.yaml").write_text(text.replace(old, new), encoding="utf-8")


def test_what_is_kept_reads_as_what_was_in_force_whatever_comes_later(settings: Settings) -> None:
    change(settings, "value: 3000", "value: 3100")
    digest, plans = keep_policies(settings)
    change(settings, "value: 3000", "value: 9999")
    later, _ = keep_policies(settings)
    assert later != digest
    for library in (plans, load_plans(by_policies(settings, digest))):
        assert library["cs_2017"].versions[0].figures["base_wage"].value == 3100
        assert set(library) == set(load_plans(settings))
    modes = {oct(path.stat().st_mode & 0o777) for path in settings.policies_dir.rglob("*")}
    assert modes == {"0o700", "0o600"}


def test_keeping_the_same_files_again_touches_nothing(settings: Settings) -> None:
    digest, _ = keep_policies(settings)
    before = {path: path.stat().st_mtime_ns for path in settings.policies_dir.rglob("*")}
    assert keep_policies(settings)[0] == digest
    assert {path: path.stat().st_mtime_ns for path in settings.policies_dir.rglob("*")} == before


def test_a_plan_with_a_mistake_is_not_kept(settings: Settings) -> None:
    change(settings, "prorated(base_wage)", "prorated(base_wag)")
    with pytest.raises(PolicyError, match="base_wag"):
        keep_policies(settings)
    assert not settings.policies_dir.exists()


def test_a_changed_lost_or_added_file_is_named(settings: Settings) -> None:
    digest, _ = keep_policies(settings)
    files = kept_files(settings, digest)
    assert damages(settings, digest, files) == []
    folder = settings.policies_dir / digest
    path = folder / "cs_2017.yaml"
    path.write_bytes(path.read_bytes().replace(b"3000", b"3001"))
    (folder / "shared" / "composite.yaml").unlink()
    shutil.copy(path, folder / "zz_mine.yaml")
    told = damages(settings, digest, files)
    assert len(told) == 3
    assert "cs_2017.yaml differs from the policy that was used" in told[0]
    assert "shared/composite.yaml is missing" in told[1]
    assert "zz_mine.yaml was added" in told[2]
    with pytest.raises(CsperfError, match=r"cs_2017\.yaml differs"):
        keep_policies(settings)
