import os
import time

import pytest

from support_copilot.storage import watched_file
from support_copilot.storage.watched_file import WatchedFile


@pytest.fixture(autouse=True)
def _look_at_once(monkeypatch):
    monkeypatch.setattr(watched_file, "LOOK_EVERY_SECONDS", 0.0)


def edit(path, text):
    path.write_text(text)
    later = time.time() + 5
    os.utime(path, (later, later + len(text)))


def test_a_missing_file_is_written_with_the_defaults(tmp_path):
    path = tmp_path / "conf" / "numbers.toml"
    assert WatchedFile(path, "7", int)() == 7
    assert path.read_text() == "7"


def test_an_edit_is_read_and_a_mistake_leaves_the_last_good_content(tmp_path):
    path = tmp_path / "numbers.toml"
    numbers = WatchedFile(path, "7", int)
    edit(path, "12")
    assert numbers() == 12
    edit(path, "twelve")
    assert numbers() == 12
    path.unlink()
    assert numbers() == 12
    edit(path, "300")
    assert numbers() == 300


def test_a_mistake_at_the_start_is_raised(tmp_path):
    path = tmp_path / "numbers.toml"
    path.write_text("seven")
    with pytest.raises(ValueError, match="seven"):
        WatchedFile(path, "7", int)
