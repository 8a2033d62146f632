"""Beside django-helpdesk: the same texts, the same client, the same machine, in turns.

    python -m benchmarks.peer_django_helpdesk.run --issues 5000

Installs django-helpdesk into a temporary virtual environment (pip must reach a package index).
Both servers hold N past issues. Rounds alternate, so that whatever else the machine does falls on
both. Prints ratios; writes benchmarks/results/peer_django_helpdesk.json.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.intake import DATA, Desk, Series, load_texts, measure, save, show
from benchmarks.peer_django_helpdesk.project import REQUIREMENTS, Helpdesk

ROUNDS = 5
WARM_UP = 10
WANTED = {"creation": 2.0, "list": 10.0, "issue page": 10.0}

Action = Callable[[], object]


def in_turns(
    ours: Action, theirs: Action, times: int, between: Action = lambda: None
) -> tuple[Series, Series]:
    """Run both actions ``times`` times, in rounds; ``between`` runs after each round of ours."""
    measure(ours, 3)
    measure(theirs, 3)
    between()
    mine, others = Series(), Series()
    for _ in range(ROUNDS):
        mine.add(measure(ours, times // ROUNDS))
        between()
        others.add(measure(theirs, times // ROUNDS))
    return mine, others


def compare(issues: int, requests: int, folder: Path) -> dict[str, Any]:
    texts = load_texts(folder, issues + requests + WARM_UP)
    past, new = texts[:issues], texts[issues:]
    results: dict[str, Any] = {"peer": {"requirements": list(REQUIREMENTS)}}
    with tempfile.TemporaryDirectory(prefix="peer-") as place:
        (Path(place) / "ours").mkdir()
        (Path(place) / "theirs").mkdir()
        desk, helpdesk = Desk(Path(place) / "ours"), Helpdesk(Path(place) / "theirs")
        helpdesk.install()
        results["import, django-helpdesk"] = helpdesk.import_issues(past)
        results["import, support-copilot"] = desk.import_issues(past)
        with desk.running(), helpdesk.running():
            pairs: dict[str, tuple[Series, Series]] = {
                # What is left to the background is part of ours: waited for, and counted below.
                "creation": in_turns(
                    desk.creator(new), helpdesk.creator(new), requests, desk.settle
                ),
                "list": in_turns(desk.lister(), helpdesk.lister(), requests),
                "issue page": in_turns(desk.reader(), helpdesk.reader(), requests),
            }
            screens = desk.screens()
            pairs["list screen"] = in_turns(screens["inbox screen"], helpdesk.list_page(), requests)
            pairs["issue screen"] = in_turns(screens["issue screen"], helpdesk.reader(), requests)
    for name, (ours, theirs) in pairs.items():
        results[f"{name}, support-copilot"] = ours.figures()
        results[f"{name}, django-helpdesk"] = theirs.figures()
    ratios = {
        name: round(ours.figures()["rate_per_s"] / max(theirs.figures()["rate_per_s"], 0.1), 2)
        for name, (ours, theirs) in pairs.items()
    }
    results["our rate / theirs"] = ratios
    results["wanted at least"] = WANTED
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--issues", type=int, default=5000)
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    results = compare(options.issues, options.requests, options.data)
    show(results)
    save("peer_django_helpdesk", results)


if __name__ == "__main__":
    main()
