"""Model files that are whole or not there: written atomically, checked when they are read.

A file is the hexadecimal SHA-256 of its content, a line feed, and the content, so that checksum
and content can never come from two different writes.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

_DIGEST = 64


def write_model(path: Path, content: bytes) -> None:
    """Replace ``path`` in one step, making its folder where needed. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(content).hexdigest().encode() + b"\n")
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_model(path: Path) -> bytes | None:
    """Return the content, or None where the file is missing or damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    content = data[_DIGEST + 1 :]
    whole = data[: _DIGEST + 1] == hashlib.sha256(content).hexdigest().encode() + b"\n"
    return content if whole else None


def file_sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
