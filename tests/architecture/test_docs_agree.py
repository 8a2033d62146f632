"""The docs say what the code does: settings, routes, links, decisions, the tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support_copilot.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("training/**/*.md")])


def test_every_setting_is_documented_with_its_default():
    text = (ROOT / "docs/reference/settings.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", text, re.MULTILINE))
    assert rows.keys() == {PREFIX + name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        shown = rows[PREFIX + name.upper()].strip("`")
        if field.default is None:
            assert shown == "unset", name
        elif field.default in ((), ""):
            assert shown == "empty", name
        else:
            assert shown.lower() == str(field.default).lower(), name


def test_every_setting_explains_itself():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#\s]+)\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_every_decision_has_its_five_headings():
    for path in (ROOT / "docs/decisions").glob("*.md"):
        headings = re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE)
        assert headings == ["Context", "Options", "Decision", "Consequences", "Evidence"], path.name


def test_the_tree_in_the_architecture_is_the_tree_on_disk():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    block = text.split("src/support_copilot/\n")[1].split("training/")[0]
    named = set(re.findall(r"^  ([a-z_]+(?:/|\.py))", block, re.MULTILINE))
    package = ROOT / "src/support_copilot"
    there = {f"{path.name}/" for path in package.iterdir() if (path / "__init__.py").exists()}
    there |= {path.name for path in package.glob("*.py") if not path.name.startswith("__")}
    assert named == there


def test_the_make_targets_of_the_readme_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z]+)`?$", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert named
    assert named <= targets


def test_ports_and_repositories_name_no_machine():
    """No registry hosts and no absolute paths of a machine in any tracked text."""
    suspicious = re.compile(r"(/home/|/root/|/wo" + r"rk/|files\.python" + r"hosted|index-url)")
    for path in ROOT.rglob("*"):
        relative = path.relative_to(ROOT)
        if relative.parts[0].startswith((".git", ".venv", ".mypy", ".ruff", ".pytest", ".hypo")):
            continue
        if path.suffix in {".py", ".md", ".toml", ".txt", ".html", ".css", ".js", ".jsonl"}:
            found = suspicious.search(path.read_text(encoding="utf-8", errors="replace"))
            assert found is None or path == Path(__file__), f"{relative}: {found}"
