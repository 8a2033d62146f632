"""Sentences of support messages: what people wrote, without the wrapping around it.

Written for messages as they come: e-mails with quoted trails and signatures, chat without
punctuation, tweets with handles and links, several languages. Rules, not a model.
"""

from __future__ import annotations

import re
import unicodedata

MAX_CHARS = 240

_TRAIL = re.compile(
    r"(?im)^[ \t]*(?:on .{5,120}\bwrote:|am .{5,120}\bschrieb .{0,80}:|"
    r"le .{5,120}\ba \u00e9crit ?:|el .{5,120}\bescribi\u00f3:|-{2,}[ \t]*(?:original|forwarded|"
    r"urspr\u00fcngliche).{0,40}|_{10,}|from: .+\n(?:sent|date|to): .+|von: .+\n(?:gesendet|datum|"
    r"an): .+)[ \t]*$"
)
_QUOTED_LINE = re.compile(r"(?m)^[ \t]*>.*$")
_SIGNATURE_MARK = re.compile(r"(?m)^--[ \t]*$")
_CLOSING = re.compile(
    r"(?im)^[ \t]*(?:(?:with )?(?:best|kind|warm|many)(?: regards| wishes| thanks)?|regards|"
    r"sincerely(?: yours)?|yours(?: sincerely| truly| faithfully)?|cheers|thanks|thank you|"
    r"mit (?:freundlichen|besten) gr\u00fc\u00dfen|gru\u00df|"
    r"(?:viele|liebe|beste|freundliche) gr\u00fc\u00dfe|vg|lg|mfg|cordialement|bien \u00e0 vous|"
    r"saludos(?: cordiales)?|atentamente|"
    r"cordiali saluti|sent from my .{1,30}|von meinem .{1,30} gesendet)[ \t]*[,.!]?[ \t]*$"
)
_SIGN_OFF = re.compile(
    r"\s*(?:[\^*~][ ]?[A-Za-z]{1,15}|\s[-\u2013\u2014/] ?[A-Z][A-Za-z]{0,12})"
    r"(?:\s+\d/\d)?(?:\s+https?://\S{1,80})?\s*$"
)
_URL = re.compile(r"(?i)\b(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?)]")
_HANDLE = re.compile(r"(?<![\w.])@\w+(?:\s+(?=@))?")
_LEFT_BY_LINK = re.compile(r"[ ,:]+([.?!])(?= |$)")
_PART = re.compile(r"(?<!\S)\(?\d/\d\)?(?!\S)")
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ABBREVIATIONS = _words(
    "mr mrs ms dr prof sr jr st no nr nos vs etc approx inc ltd co corp dept est ext fig "
    "jan feb mar apr jun jul aug sep sept oct nov dec e.g i.e a.m p.m u.s u.k z.b d.h u.a "
    "bzw ca usw inkl zzgl ggf evtl tel str hr fr mme mlle av p.ej ud uds sra srta p.s vol pp"
)
_NO_FULL_SENTENCE = _words("etc usw p.m a.m inc ltd co corp")
_END = re.compile(r"[.!?\u2026]+[\"'\u201d\u2019)\]]*(?=\s|$)|[\u3002\uff01\uff1f]+")
_GLUED_END = re.compile(r"(?<=[a-z]{2})[!?]+(?=[A-Z][a-z])")
_LIST_ITEM = re.compile(r"^\s*(?:[-*\u2022\u2013]|\d{1,2}[.)])\s+")
_MONTH = re.compile(r"(?i)(?:jan|feb|m\u00e4r|mar|apr|mai|may|jun|jul|aug|sep|okt|oct|nov|dez|dec)")
_CLAUSE = re.compile(
    r"(?<=[,;:])\s+|\s+[-\u2013\u2014]\s+|\s+(?=(?:and|but|so|und|aber|mais|pero)\s)"
)

_WRAPPING = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        (
            r"(?:hi|hey|hello|dear|hallo|guten (?:tag|morgen|abend)|liebe[rs]?|sehr geehrte[rs]?|"
            r"moin|bonjour|salut|hola|buen[oa]s \w+|ciao|buongiorno|ol\u00e1|"
            r"good (?:morning|afternoon|evening|day))\b(?:[\s,]+[^\s,.!?]+){0,4}[\s,.!]*"
        ),
        (
            r"(?:many |ok(?:ay)?,? )?(?:thanks|thank you|thx|cheers|danke|merci|gracias|grazie)\b"
            r"(?: (?:so|very) much| a lot| again| in advance| a million|,? \w+){0,2}[\s.!]*"
        ),
        (
            r".{0,30}\b(?:thank(?:s| you)(?: \w+){0,2} for (?:contacting|reaching|"
            r"getting in touch|your (?:message|e-?mail|patience|understanding|enquiry|inquiry|"
            r"time|interest|contact)|the (?:info|information|update|details)|letting us know|"
            r"waiting|writing|choosing|being)|vielen dank f\u00fcr (?:ihre|deine) (?:nachricht|"
            r"anfrage|geduld|e-?mail)|merci (?:de|pour) (?:nous avoir contact|votre message)|"
            r"gracias por (?:contactar|su mensaje|escribir)).*"
        ),
        (
            r".{0,40}\b(?:sorry|apolog\w+|regret|frustrat\w+)\b.{0,20}\b(?:to hear|for (?:the|any|"
            r"this|your) (?:\w+ )?(?:inconvenience|trouble|delay|frustration|experience|issue|"
            r"confusion|wait))\b.{0,40}"
        ),
        r"(?:i am|i'm|we are|we're|so|very|really| )*sorry[\s.!,]*",
        (
            r".{0,30}\b(?:you'?re (?:very |most )?welcome|no problem|no worries|my pleasure|"
            r"glad (?:to|we could|i could) (?:help|assist|hear)|happy to help|here to help).{0,50}"
        ),
        (
            r"(?:have|enjoy|wish(?:ing)? you) (?:a |the |your )?(?:nice|great|good|lovely|"
            r"wonderful|rest|day|weekend|evening|fantastic)\b.{0,50}"
        ),
        r".{0,25}\bhow (?:can|may) (?:i|we) (?:help|assist)\b.{0,30}",
        r".{0,30}\b(?:is there anything else|anything else (?:i|we) can)\b.{0,60}",
        r".{0,60}(?:do not|don't|please) hesitate to .{0,60}",
        (
            r"(?:please )?(?:let (?:me|us) know|feel free to (?:contact|reach)).{0,25}"
            r"(?:any(?:thing)? (?:other |further |more |else)|questions).{0,50}"
        ),
        r"(?:i )?hope (?:this|that) helps.{0,10}",
        (
            r"(?:ok(?:ay)?|yes|no|yep|nope|sure|great|perfect|cool|fine|lol|wow|ja|nein|oui|si|"
            r"s\u00ed|please|bye|regards|cheers|same|done|hm+|ugh|well|anyone|help|\W)+"
        ),
    )
)
_LEADING_GREETING = re.compile(
    r"(?i)^(?:hi|hey|hello|hallo|hola|bonjour|good (?:morning|afternoon|evening))"
    r"(?:[ ]+(?:there|team|all|everyone|guys)|(?-i:[ ]+[A-Z]\w+))?[ ]*[,!.:\u2013-]+\s+(?=\w)"
)


def body(message: str) -> str:
    """Return what was written in this message: no quoted trail, signature or sign-off."""
    text = _INVISIBLE.sub("", message.replace("\r\n", "\n").replace("\r", "\n"))
    trail = _TRAIL.search(text)
    if trail:
        # An answer written below the quotation keeps what is not quoted.
        above = text[: trail.start()]
        text = above if above.strip() else text[trail.end() :]
    text = _QUOTED_LINE.sub("", text)
    mark = _SIGNATURE_MARK.search(text)
    if mark and text[: mark.start()].strip():
        text = text[: mark.start()]
    for closing in _CLOSING.finditer(text):
        # A closing ends a message only where nothing but a short signature follows it.
        if text[: closing.start()].strip() and len(text[closing.end() :].split()) <= 30:
            text = text[: closing.start()]
            break
    text = text.strip()
    return text[:-120] + _SIGN_OFF.sub("", text[-120:])


def is_wrapping(sentence: str) -> bool:
    """Tell whether a sentence is courtesy or boilerplate that says nothing of the case."""
    text = sentence.strip().replace("\u2019", "'")
    return not _letters(text) or any(pattern.fullmatch(text) for pattern in _WRAPPING)


def sentences(message: str) -> list[str]:
    """Return the sentences of a message that say something, in order.

    Each is a quotation with whitespace collapsed, handles, links and leading greeting left out;
    one without an end within ``MAX_CHARS`` is cut at a clause.
    """
    found = []
    for sentence in split(body(message)):
        text = _LEADING_GREETING.sub("", sentence)
        if not is_wrapping(text):
            found.extend(_cut(text))
    return found


def split(text: str) -> list[str]:
    """Split text into sentences; handles and links are left out."""
    text = _HANDLE.sub(" ", _URL.sub(" ", text))
    parts: list[str] = []
    for block in _blocks(_PART.sub(" ", text)):
        start = 0
        for end in sorted({match.end() for match in _END.finditer(block)} | _glued(block)):
            if _ends_sentence(block, start, end):
                parts.append(block[start:end])
                start = end
        parts.append(block[start:])
    return [tidy for part in parts if (tidy := _tidy(part))]


def _glued(block: str) -> set[int]:
    return {match.end() for match in _GLUED_END.finditer(block)}


def _blocks(text: str) -> list[str]:
    """Undo line wrapping: a line goes on where the next starts small and no list begins."""
    blocks: list[str] = []
    open_line = False
    for line in text.split("\n"):
        stripped = line.strip()
        item = _LIST_ITEM.match(line)
        if not stripped:
            open_line = False
            continue
        goes_on = stripped[0].islower() or (blocks and len(blocks[-1]) > 60)
        if open_line and not item and goes_on and blocks[-1][-1] not in ".!?:\u3002":
            blocks[-1] += " " + stripped
        else:
            blocks.append(_LIST_ITEM.sub("", line).strip())
        open_line = bool(blocks[-1])
    return [block for block in blocks if block]


def _ends_sentence(block: str, start: int, end: int) -> bool:
    following = block[end:].lstrip()
    mark = block[:end].rstrip("\"'\u201d\u2019)]")
    if not mark.endswith(".") or mark.endswith(".."):
        return True
    words = block[start:end].rstrip(".\"'\u201d\u2019)] ").split()
    if not words:
        return False
    word = words[-1].lstrip("(\"'\u201c").lower()
    if word in _ABBREVIATIONS:
        return word in _NO_FULL_SENTENCE and following[:1].isupper()
    if word.isdigit() and len(word) <= 2:
        return len(words) > 1 and not _MONTH.match(following)
    return not (len(word) == 1 and word.isalpha() and word not in "ia" and following[:1].isupper())


def _tidy(part: str) -> str:
    text = _LEFT_BY_LINK.sub(r"\1", " ".join(part.split()))
    text = text.lstrip(" .,;:!?)-\u2013\u2014|*_").rstrip(" ,;:-\u2013\u2014|(*_")
    while text and unicodedata.category(text[-1]) in {"So", "Sk", "Cs", "Cf", "Mn"}:
        text = text[:-1].rstrip()
    while text and unicodedata.category(text[0]) in {"So", "Sk", "Cs", "Cf", "Mn"}:
        text = text[1:].lstrip()
    return text if _letters(text) else ""


def _letters(text: str) -> int:
    return sum(character.isalpha() for character in text)


def _cut(sentence: str) -> list[str]:
    """Cut an endless sentence into quotations of at most ``MAX_CHARS`` characters."""
    pieces: list[str] = []
    rest = sentence
    while len(rest) > MAX_CHARS:
        breaks = [match.start() for match in _CLAUSE.finditer(rest, 60, MAX_CHARS)]
        spaces = rest.rfind(" ", 60, MAX_CHARS)
        at = breaks[-1] if breaks else spaces if spaces > 0 else MAX_CHARS
        pieces.append(_tidy(rest[:at]))
        rest = rest[at:].lstrip(" -\u2013\u2014")
    pieces.append(_tidy(rest))
    return [piece for piece in pieces if piece]
