import logging
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from support_copilot.cli.app import app


class Command:
    """The command line on a data directory of its own, without the encoder."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.environment = {
            "SUPPORT_COPILOT_DATA_DIR": str(data_dir),
            "SUPPORT_COPILOT_ENCODER": "off",
            "NO_COLOR": "1",
        }

    def __call__(self, *arguments: object, stdin: str | None = None, **settings: str) -> Result:
        return CliRunner().invoke(
            app,
            [str(argument) for argument in arguments],
            input=stdin,
            env=self.environment | settings,
            prog_name="support-copilot",
            catch_exceptions=False,
        )


@pytest.fixture
def cli(tmp_path, monkeypatch) -> Command:
    # No .env of whoever runs the tests.
    monkeypatch.chdir(tmp_path)
    return Command(tmp_path / "data")


@pytest.fixture(autouse=True)
def _logging_as_it_was():
    """The commands route the process's log; other tests want theirs back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
