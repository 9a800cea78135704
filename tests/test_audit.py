"""The audit of the lock: what fails, what is let pass, and what is said where nobody can be asked."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from scripts.audit import LOCK, Audit, ask, judge, lock_age
from scripts.stack import free_port


@pytest.fixture(scope="module")
def lock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three packages of the real lock."""
    text = LOCK.read_text()
    blocks = [re.search(rf"(?m)^{name}==(?:.*\\\n)*.*", text) for name in ("filelock", "jinja2", "rich")]
    path = tmp_path_factory.mktemp("lock") / "requirements.lock"
    path.write_text("".join(f"{block[0]}\n" for block in blocks if block))
    return path


@pytest.fixture(scope="module")
def audit(lock: Path) -> Iterator[Audit]:
    """What pip-audit makes of a service's answers: one vulnerability that is fixed, and one that is not."""

    class Advisories(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
            events = {"jinja2": [{"introduced": "0"}, {"fixed": "999.1"}], "rich": [{"introduced": "0"}]}
            vulnerability = {
                "id": f"PYSEC-0-{asked}",
                "aliases": [f"CVE-0-{asked}"],
                "summary": "planted",
                "details": "planted",
                "affected": [
                    {
                        "package": {"name": asked, "ecosystem": "PyPI"},
                        "ranges": [{"type": "ECOSYSTEM", "events": events.get(asked, [])}],
                    }
                ],
            }
            answer = {"vulns": [vulnerability]} if asked in events else {}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Advisories)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_AUDIT_OSV_URL", f"http://127.0.0.1:{server.server_address[1]}/v1/query")
        found = ask(lock, "osv")
    server.shutdown()
    server.server_close()
    assert found is not None
    yield found


def test_a_vulnerability_with_a_fix_fails_and_one_without_is_told(audit: Audit) -> None:
    assert (audit.asked, audit.known) == (3, 3)
    fails, told = judge(audit, {})
    assert [line.split(":")[0].split()[0] for line in (*fails, *told)] == ["jinja2", "rich"]
    assert "PYSEC-0-jinja2, fixed in 999.1; run make lock" in fails[0]
    assert told[0].endswith("no fixed version yet.")


def test_what_is_listed_with_its_reason_passes_by_any_of_its_names(audit: Audit) -> None:
    for name in ("PYSEC-0-jinja2", "CVE-0-jinja2"):
        fails, told = judge(audit, {name: "templates are our own"})
        assert fails == []
        assert any(line.endswith("accepted: templates are our own") for line in told)


def test_a_service_that_is_away_is_no_clean_answer(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_AUDIT_OSV_URL", f"http://127.0.0.1:{free_port()}/v1/query")
    assert ask(lock, "osv") is None


def test_the_age_of_the_lock_is_that_of_its_last_commit_or_else_of_the_file(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("a==1\n")
    now = datetime.now(UTC)
    assert lock_age(lock, now + timedelta(days=3, minutes=1)) == 3
    git = ["git", "-c", "user.name=demo", "-c", "user.email=demo@example.com"]
    dated = {"GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z", "PATH": "/usr/bin:/bin:/usr/local/bin"}
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "lock"]):
        subprocess.run([*git, *command], cwd=tmp_path, env=dated, check=True)
    assert lock_age(lock, datetime(2026, 4, 11, tzinfo=UTC)) == 100
