"""`make airflow`: a local Airflow with the four DAGs until Ctrl-C, over CSPERF_HOME."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from csperf.settings import load_settings
from csperf.storage import make_home
from scripts.stack import COMPONENTS, local_stack


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    port = parser.parse_args().port
    settings = load_settings()
    make_home(settings)
    home: Path = settings.home / "airflow"
    print(f"Starting Airflow in {home} …", flush=True)
    with local_stack(home, {}, port=port, schedules=True, components=tuple(COMPONENTS)) as stack:
        print(f"\nAirflow is at http://localhost:{port}, for this machine alone. Log in as")
        for user, password in json.loads((home / "passwords.json").read_text()).items():
            print(f"  {user:<9} {password}")
        print("Whoever starts a run by hand cannot approve it: start as one, approve as the other.")
        print(f"Source: {settings.source or 'none yet, set CSPERF_SOURCE'}. DAGs are paused at first. Ctrl-C ends it.")
        try:
            while True:
                time.sleep(1)
                stack.check_alive()
        except KeyboardInterrupt:
            print("\nStopping …")


if __name__ == "__main__":
    main()
