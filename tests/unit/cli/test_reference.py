"""docs/reference/cli.md describes the commands that there are, with all their options."""

import re
from pathlib import Path

import pytest
import typer

from support_copilot.cli.app import app
from support_copilot.interop.mapping import WELL_KNOWN

REFERENCE = (Path(__file__).parents[3] / "docs/reference/cli.md").read_text("utf-8")


def commands(group, path=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands(typer.main.get_command(app)))
SECTIONS = {
    part.partition("\n")[0]: part.partition("\n")[2]
    for part in re.split(r"^## ", REFERENCE, flags=re.MULTILINE)[1:]
}


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert set(SECTIONS) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_section_names_exactly_the_options_of_the_command(name) -> None:
    options = {
        option
        for parameter in COMMANDS[name].params
        if parameter.param_type_name == "option"
        for option in parameter.opts
    } - {"--help", "-h"}
    table = "\n".join(line for line in SECTIONS[name].splitlines() if line.startswith("| `-"))
    documented = set(re.findall(r"`(--?[a-z][a-z-]*)", table))
    assert documented == options


def test_the_fields_of_an_import_are_described_with_their_names() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (`.*?) \|", SECTIONS["import"], flags=re.MULTILINE)
    described = {field: tuple(re.findall(r"`([^`]+)`", names)) for field, names in rows}
    assert described == WELL_KNOWN
