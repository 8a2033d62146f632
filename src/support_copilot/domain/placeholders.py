"""Placeholders of reply templates: what is allowed, how they are filled, what is a mistake.

A placeholder is written ``{customer.name}``. Filling never uses ``str.format``: a template or a
name can reach no attribute, and text that came in as a value is never read again. Slots such as
``[order number]`` stand for something that only the executive knows; they stay in the text.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CUSTOMER_NAME = "customer.name"
CUSTOMER_FIRST_NAME = "customer.first_name"
ISSUE_NUMBER = "issue.number"
ISSUE_TITLE = "issue.title"
EXECUTIVE_NAME = "executive.name"
COMPANY_NAME = "company.name"

ALLOWED = (
    CUSTOMER_NAME,
    CUSTOMER_FIRST_NAME,
    ISSUE_NUMBER,
    ISSUE_TITLE,
    EXECUTIVE_NAME,
    COMPANY_NAME,
)

_PLACEHOLDER = re.compile(r"\{([a-z][a-z_]*(?:\.[a-z_]+)*)\}")
_BRACED = re.compile(r"(\$|%)?(\{{1,3})([^{}\n]{0,80})(\}{1,3})")
_HALF_OPEN = re.compile(r"\{[\w.]*(?=[^\w.}]|$)")
_SLOT = re.compile(r"\[([a-z][a-z -]{1,30})\](?!\()")

_SALUTATIONS = {
    "hi": "Hi there",
    "hey": "Hey there",
    "hello": "Hello",
    "dear": "Dear customer",
    "hallo": "Hallo",
    "liebe": "Guten Tag",
    "lieber": "Guten Tag",
    "liebe/r": "Guten Tag",
    "sehr geehrte": "Guten Tag",
    "sehr geehrter": "Guten Tag",
    "sehr geehrte/r": "Guten Tag",
    "cher": "Bonjour",
    "ch\u00e8re": "Bonjour",
    "cher/ch\u00e8re": "Bonjour",
    "estimado": "Buenos d\u00edas",
    "estimada": "Buenos d\u00edas",
    "estimado/a": "Buenos d\u00edas",
    "gentile": "Buongiorno",
}
_BARE_SALUTATIONS = (
    "bonjour|bonsoir|salut|hola|ciao|buongiorno|moin|servus|hej|hoi|guten (?:tag|morgen|abend)"
    "|good (?:morning|day|afternoon|evening)"
)
_THANKS = "thanks|thank you|danke|merci|gracias|grazie|sorry"
_NAME = r"\{customer\.(?:first_)?name\}"
_GREETING = re.compile(
    rf"(?im)^([ \t]*)({'|'.join(map(re.escape, sorted(_SALUTATIONS, key=len, reverse=True)))})"
    rf"[ ,]+{_NAME}"
)
_QUOTE = "\"'\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"

#: Applied in this order to the template, before any value is in it; {0} is the placeholder.
_NEUTRAL: dict[str, tuple[tuple[str, str], ...]] = {
    CUSTOMER_NAME: (
        (
            rf"(?im)(^[ \t]*(?:{_BARE_SALUTATIONS})|\b(?:{_THANKS}))[ \t]+{{0}}",
            r"\1",
        ),
        (r"(?m),[ \t]*{0}(?=[ \t]*(?:[,.!?:;]|$))", ""),
        (r"{0}(?:'s|\u2019s)", "your"),
        (r"{0}", "you"),
    ),
    ISSUE_NUMBER: (
        (r"[ \t]*[(\[]#?{0}[)\]]", ""),
        (
            r"(?i)\b(issue|ticket|case|request|anfrage)(?: (?:number|no\.?|nr\.?|id))?[ :#]*{0}",
            r"\1",
        ),
        (r"#?{0}", "your issue"),
    ),
    ISSUE_TITLE: ((rf"[{_QUOTE}]?{{0}}[{_QUOTE}]?", "your issue"),),
    EXECUTIVE_NAME: (
        (r"(?m)^([ \t]*){0}([ \t]*)$", r"\1Your support team\2"),
        (r"(?i)\bmy name is {0} and I\b", "I"),
        (r"{0}", "our support team"),
    ),
    COMPANY_NAME: (
        (r"(?im)^([ \t]*){0}(?=[ \t]+(?:support|team|customer))", r"\1Your"),
        (r"(?m)^([ \t]*){0}([ \t]*)$", r"\1Your support team\2"),
        (r"{0}(?:'s|\u2019s)", "our"),
        (r"(?m)(^|[.!?][ \t]+){0}(?=[ \t])", r"\1We"),
        (r"{0}", "us"),
    ),
}
_NEUTRAL[CUSTOMER_FIRST_NAME] = _NEUTRAL[CUSTOMER_NAME]

_TITLES = frozenset({"mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir", "herr", "frau", "mme"})


def fill(template_text: str, values: Mapping[str, str]) -> str:
    """Return the template with its placeholders filled.

    A value is inserted as it is, on one line, and never read again, whatever braces it holds. An
    allowed placeholder whose value is missing or blank becomes neutral wording; an unknown one
    stays visible (``check`` names it).
    """
    known = {
        name: " ".join(values[name].split()) for name in ALLOWED if values.get(name, "").strip()
    }
    text = template_text
    for name in ALLOWED:
        if name not in known and f"{{{name}}}" in text:
            text = _without(text, name)
    return _PLACEHOLDER.sub(lambda found: known.get(found[1], found[0]), text)


def _without(text: str, name: str) -> str:
    placeholder = re.escape(f"{{{name}}}")
    if name in {CUSTOMER_NAME, CUSTOMER_FIRST_NAME}:
        text = _GREETING.sub(
            lambda found: (
                found[1] + _SALUTATIONS[found[2].lower()]
                if found[0].endswith(f"{{{name}}}")
                else found[0]
            ),
            text,
        )
        text = re.sub(
            rf"(?m)(^|[.!?][ \t]+){placeholder},[ \t]*(\w)",
            lambda found: found[1] + found[2].upper(),
            text,
        )
    for pattern, replacement in _NEUTRAL[name]:
        text = re.sub(pattern.replace("{0}", placeholder), replacement, text)
    return text


def placeholders(text: str) -> tuple[str, ...]:
    """Return the names of the placeholders in ``text``, allowed or not, each once, in order."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))


def open_slots(text: str) -> tuple[str, ...]:
    """Return the bracketed slots that the executive still has to fill, each once, in order."""
    return tuple(dict.fromkeys(_SLOT.findall(text)))


def check(text: str) -> list[str]:
    """Return what is wrong with a template's text, as sentences for its author."""
    if not text.strip():
        return ["The template is empty."]
    mistakes: list[str] = []
    rest = text
    for found in _BRACED.finditer(text):
        prefix, opening, inner, closing = found.groups()
        rest = rest.replace(found[0], " ", 1)
        name = inner.strip()
        if name in ALLOWED:
            if found[0] != f"{{{name}}}":
                mistakes.append(f"Write {{{name}}} in place of {found[0]}.")
        elif prefix or len(opening) > 1 or re.fullmatch(r"[\w .!:\[\]-]*", name):
            near = get_close_matches(name.lower().replace(" ", "_"), ALLOWED, n=1, cutoff=0.6)
            hint = f"Did you mean {{{near[0]}}}?" if near else f"Known are {_list_of_known()}."
            mistakes.append(f"{opening}{inner}{closing} is no placeholder. {hint}")
    mistakes.extend(
        f"{found[0]} is not closed by a brace."
        for found in _HALF_OPEN.finditer(rest)
        if len(found[0]) > 1
    )
    return mistakes


def _list_of_known() -> str:
    return ", ".join(f"{{{name}}}" for name in ALLOWED)


def first_name(name: str) -> str:
    """Return the name to greet a person by; empty where none can be told from ``name``.

    Understands titles (``Dr. Anna Weber``) and ``Weber, Anna``; an e-mail address is no name.
    """
    if "@" in name or any(character.isdigit() for character in name):
        return ""
    last, comma, first = name.partition(",")
    words = (first if comma and first.strip() else last).split()
    while words and words[0].rstrip(".").lower() in _TITLES:
        words = words[1:]
        if len(words) == 1:
            return ""
    return words[0] if words else ""


def values_for(
    *,
    customer_name: str = "",
    issue_number: str = "",
    issue_title: str = "",
    executive_name: str = "",
    company_name: str = "",
) -> dict[str, str]:
    """Return the values of all placeholders, the first name told from the full one."""
    return {
        CUSTOMER_NAME: "" if "@" in customer_name else customer_name,
        CUSTOMER_FIRST_NAME: first_name(customer_name),
        ISSUE_NUMBER: issue_number,
        ISSUE_TITLE: issue_title,
        EXECUTIVE_NAME: executive_name,
        COMPANY_NAME: company_name,
    }
