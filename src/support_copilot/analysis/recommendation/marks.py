"""Marks that stand for slots while a text is worked on."""

from __future__ import annotations

import re

from support_copilot.domain import placeholders

CUSTOMER = f"{{{placeholders.CUSTOMER_NAME}}}"
FIRST_NAME = f"{{{placeholders.CUSTOMER_FIRST_NAME}}}"
EXECUTIVE = f"{{{placeholders.EXECUTIVE_NAME}}}"
ISSUE_NUMBER = f"{{{placeholders.ISSUE_NUMBER}}}"

_FIRST, _LAST = 0xE000, 0xF8FF
PRIVATE = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")


class Marks:
    """Gives one private-use character to each slot and to each piece that must stay as it is.

    So no rule reads what another rule wrote: a customer called "Number" cannot spoil the slot
    ``[order number]``. ``clean`` removes such characters from the text first.
    """

    def __init__(self) -> None:
        self._texts: list[str] = []

    @staticmethod
    def clean(text: str) -> str:
        return PRIVATE.sub("", text)

    def of(self, text: str) -> str:
        """Return the mark of a slot or of a piece to keep; the same text has one mark."""
        if text not in self._texts:
            if len(self._texts) > _LAST - _FIRST:
                return ""
            self._texts.append(text)
        return chr(_FIRST + self._texts.index(text))

    def restore(self, text: str) -> str:
        return PRIVATE.sub(lambda found: self._texts[ord(found[0]) - _FIRST], text)
