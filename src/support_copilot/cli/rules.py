"""The table of severity rules."""

from __future__ import annotations

from pathlib import Path

import typer

from support_copilot.cli.common import say


def check(
    file: Path = typer.Argument(..., exists=True, dir_okay=False, help="The rule table (TOML)."),
) -> None:
    """Check a table of severity rules and name every mistake in it.

    Examples:
      support-copilot rules check data/severity_rules.toml
    """
    from support_copilot.domain.severity_rules import RuleError, SeverityRules

    try:
        rules = SeverityRules.parse(file.read_text("utf-8"))
    except UnicodeDecodeError as error:
        say(f"{file}: is not UTF-8 text: {error}")
        raise typer.Exit(1) from None
    except RuleError as error:
        for mistake in error.errors:
            say(f"{file}: {mistake['field']}: {mistake['message']}")
        raise typer.Exit(1) from None
    print(f"{file}: {len(rules.rules)} rules, no mistakes")
