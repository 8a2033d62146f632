"""Every operation does what the OpenAPI document says, whatever is sent to it.

A long run by hand, against any desk that has nothing to lose:

    cd tests/journeys
    export DESK_KEY=...  # support-copilot api-keys create --role admin --name schemathesis
    schemathesis --config-file schemathesis.toml run http://127.0.0.1:8000/openapi.json \\
        --checks all --max-examples 500
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

HERE = Path(__file__).parent
# The same cases each time; by hand, another seed finds other cases.
SEED = os.environ.get("SCHEMATHESIS_SEED", "1")
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "15")


@pytest.mark.timeout(900)
def test_the_document_and_the_product_agree(desk, tmp_path: Path):
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "schemathesis.cli",
            "--config-file",
            HERE / "schemathesis.toml",
            "run",
            f"{desk.base_url}/openapi.json",
            "--checks=all",
            f"--max-examples={EXAMPLES}",
            f"--seed={SEED}",
            "--generation-database=none",
        ],
        cwd=tmp_path,
        env=os.environ
        | {"DESK_KEY": desk.keys["admin"], "PYTHONPATH": str(HERE), "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-12_000:] + run.stderr[-2_000:]
    assert "Loaded specification" in run.stdout
    # A key that the run itself had revoked would have made every later answer a 401.
    me = httpx2.get(f"{desk.base_url}/v1/auth/me", headers=desk.headers("admin"))
    assert me.status_code == 200
