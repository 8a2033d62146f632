"""Turn a reply that helped one customer into a template for another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from support_copilot.analysis.recommendation import marks as m
from support_copilot.analysis.recommendation.marks import Marks
from support_copilot.analysis.recommendation.names import Person
from support_copilot.analysis.recommendation.numbers import mask_numbers
from support_copilot.analysis.summarization.sentences import is_wrapping, split

if TYPE_CHECKING:
    from support_copilot.domain.recommendation import PastReply

_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")
_TRAIL = re.compile(
    r"(?im)^[ \t]*(?:on .{5,120}\bwrote:|am .{5,120}\bschrieb .{0,80}:|-{2,}\s*original)"
)
_QUOTED = re.compile(r"(?m)^[ \t]*>.*\n?")
_GREETING_WORDS = (
    r"(?:hi|hiya|hello|hey|dear|greetings|good (?:morning|afternoon|evening|day)|hallo|moin|servus|"
    r"guten (?:tag|morgen|abend)|liebe[rs]?(?:/r)?|sehr geehrte[rs]?(?:/r)?|werte[rs]?|bonjour|"
    r"bonsoir|salut|cher|ch\u00e8re|hola|buen[oa]s (?:d\u00edas|tardes|noches)|estimad[oa]|ciao|"
    r"buon ?giorno|gentile|ol\u00e1|oi|prezad[oa]|caro|cara|hej|hoi|beste|geachte|cze\u015b\u0107|"
    r"\u043f\u0440\u0438\u0432\u0435\u0442|"
    r"\u0437\u0434\u0440\u0430\u0432\u0441\u0442\u0432\u0443\u0439\u0442\u0435)"
)
_TITLE = (
    r"(?:(?:mr|mrs|ms|miss|mx|dr|prof|sir|madam|herrn?|frau|mme|madame|monsieur|m|sr|sra|"
    r"se\u00f1ora?|signora?|dott)\.?[ ]+)"
)
_CAPITALISED = r"[^\W\d_a-z](?:\.|[\w'\u2019-]*)"
_NO_NAME = (
    r"(?!(?i:there|all|both|team|everyone|everybody|folks|guys|customer|sir|madam|friend|again|and|"
    r"thanks|thank|we|i|i'm|i\u2019m|our|your|you|this|that|the|sorry|please|it|is|so|for|to|in|at|"
    r"zusammen|leider|wir|ich|danke|vielen|damen|kunde|kundin|client|cliente|nous|a|as|if|just|"
    r"welcome|good|great|much|very|from|how|what|when|why|yes|no|not|with|on|an?)\b)"
)
_NAME_WORDS = rf"{_NO_NAME}{_CAPITALISED}(?:[ ]+{_NO_NAME}{_CAPITALISED}){{0,3}}"
_GREETING_COMMA = re.compile(
    rf"(?im)^([ \t]*{_GREETING_WORDS}[ ,]+)({_TITLE})?(?:{_NO_NAME}[^\W\d_][^\s,.!:;]*"
    r"(?:[ ]+[^\W\d_][^\s,.!:;]*){0,3})(?=[ \t]*(?:[,!.:;\u2013-]|$))"
)
_GREETING_BARE = re.compile(
    rf"(?m)^([ \t]*(?i:{_GREETING_WORDS})[ ,]+)((?i:{_TITLE}))?{_NAME_WORDS}"
)
_VOCATIVE = re.compile(
    r"(?m)((?i:\b(?:thanks|thank you|sorry|apologies|sure|no problem|no worries|of course|welcome|"
    r"great|understood|yes|ok|okay|danke|merci|gracias|grazie|day|weekend|evening|week|help|"
    r"patience|understanding|feedback|touch|soon|care|wait|message|news))[ ]*(?:,[ ]*|[ ]+))"
    rf"{_NAME_WORDS}(?=[ \t]*(?:[,.!?;]|$))"
)
_OPENING_VOCATIVE = re.compile(
    rf"(?m)^([ \t]*){_NO_NAME}(?!(?:Unfortunately|However|Also|First|Then|Next|Finally|Currently|"
    rf"Hello|Hi|Hey|Dear|Regards|Best|Cheers|Sincerely|Yours|Okay|Ok|Sure|Well|Meanwhile|Once|"
    rf"Alternatively|Otherwise|Afterwards|Indeed|Great|Perfect|Absolutely|Certainly|Apologies|"
    rf"Hopefully|Please|Hallo|Bonjour|Hola|Ciao)\b){_CAPITALISED}(?=,[ ])"
)
_OTHERS = re.compile(
    r"((?i:\b(?:husband|wife|partner|son|daughter|mother|father|brother|sister|colleague|manager|"
    r"supervisor|technician|driver|courier|neighbou?r|assistant|specialist|agent|spoke (?:to|with)|"
    r"talked (?:to|with)|ask for|signed (?:for )?by|accepted by|left with|attn\.?:?|attention:|"
    r"c/o|name on the (?:order|account|card|booking) is|recipient:?|addressed to|in the name of)"
    rf"\b)[,:]?[ ]+){_NAME_WORDS}"
)
_TITLED = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Herrn?|Frau|Mme|Madame|Monsieur|Sr|Sra|Se\u00f1ora?|"
    r"Signora?)\.?[ ]+"
    rf"{_CAPITALISED}(?:[ ]+{_CAPITALISED})?"
)
_SELF = re.compile(
    r"((?i:\b(?:my name is|mein name ist|je m'appelle|me llamo|this is|i am|i'm|i\u2019m|ich "
    r"bin))[ ]+)"
    rf"{_NAME_WORDS}(?=[ ]*(?:[,.!]|$|(?:from|with|at|of|and|here|von|vom|de)\b))"
)
_CLOSING = re.compile(
    r"(?im)^([ \t]*(?:(?:with )?(?:best|kind|kindest|warm|warmest|many)(?:[ ](?:regards|wishes|"
    r"thanks))?|regards|sincerely(?: yours)?|yours(?: sincerely| truly| faithfully)?|cheers|"
    r"thanks(?: again)?|thank you|all the best|take care|mit (?:freundlichen|"
    r"besten) gr\u00fc\u00dfen|(?:viele|liebe|beste|freundliche|herzliche) gr\u00fc\u00dfe|"
    r"gru\u00df|vg|lg|mfg|cordialement|bien \u00e0 vous|saludos(?: cordiales)?|atentamente|"
    r"cordiali saluti)[ \t]*[,.!]?)(?:[ \t]+(?-i:[^\W\d_a-z])[\w .'-]{0,40}$|[ \t]*$)"
)
_SIGNED = re.compile(
    r"[ \t]*(?:[\^~]\s?|(?:\s|^)\*\s?|\s/|\n[-\u2013\u2014]{1,2}\s?)[^\W\d_][\w.'-]{0,20}\s*$"
)
_LAST_LINE = re.compile(rf"\n[ \t]*{_CAPITALISED}(?:[ ]{_CAPITALISED}){{0,2}}[ \t]*$")
_SIGNATURE_MARK = re.compile(r"(?m)^--[ \t]*$")
_LONG_NUMBER = re.compile(r"\d{5,}")
#: An address that no pattern knew: a number soon after such words.
_NEAR_ADDRESS = re.compile(
    r"(?i)(?:\baddress(?: is| was|:)|\badresse(?: ist| lautet|:)|\b(?:lives?|living|office is) at|"
    r"\b(?:shipped|delivered|sent|ship|deliver|send)(?: it)? to\b).{0,40}\d"
)
_SENTENCE_BREAK = re.compile(r"(?<=[.!?])([ \t]+)")


def depersonalise(reply: PastReply) -> str:
    """Return the reply as a template, empty where nothing of use is left.

    Names, numbers, addresses, dates, amounts and links of the other customer and the author's
    signature become placeholders or slots such as ``[order number]``; a sentence in which a name,
    a long number or an address may still show is dropped.
    """
    marks = Marks()
    customer = Person(reply.customer_name, reply.customer_email)
    author = Person(*_author(reply.author))
    text = _own_words(_INVISIBLE.sub("", marks.clean(reply.text)))
    text = mask_numbers(text, reply.issue_number, marks)
    text = _sign(text, marks)
    for greeting in (_GREETING_COMMA, _GREETING_BARE):
        text = greeting.sub(
            lambda found: found[1] + marks.of(m.CUSTOMER if found[2] else m.FIRST_NAME), text
        )
    text = customer.replace(
        text,
        full=marks.of(m.CUSTOMER),
        first=marks.of(m.FIRST_NAME),
        company=marks.of("[company]"),
    )
    executive = marks.of(m.EXECUTIVE)
    text = author.replace(text, full=executive, first=executive, company=executive)
    text = _mask_people(text, marks)
    kept = "\n".join(_without_leaks(line, customer, author) for line in text.split("\n"))
    kept = re.sub(r"\n{3,}", "\n\n", kept).strip()
    result = marks.restore(kept)
    return result if _says_something(result) else ""


def _author(author: str | None) -> tuple[str, str]:
    """Read an author as a name or as a user name such as ``tom.keller``."""
    if not author:
        return "", ""
    return re.sub(r"[._@\d]+", " ", author.partition("@")[0]), ""


def _own_words(text: str) -> str:
    """Return the message without quoted trail and formal signature block."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for pattern in (_TRAIL, _SIGNATURE_MARK):
        found = pattern.search(text)
        if found:
            text = text[: found.start()]
    return _QUOTED.sub("", text).strip()


def _sign(text: str, marks: Marks) -> str:
    """Put the executive's placeholder where the author signed."""
    executive = marks.of(m.EXECUTIVE)
    for closing in _CLOSING.finditer(text):
        after = text[closing.end() :]
        if text[: closing.start()].strip() and len(after.split()) <= 30:
            return f"{text[: closing.start()]}{closing[1].rstrip()}\n{executive}"
    signed = _SIGNED.sub("", text)
    if signed != text:
        return f"{signed}\n{executive}"
    return _LAST_LINE.sub(f"\n{executive}", text)


def _mask_people(text: str, marks: Marks) -> str:
    """Mask names that the record does not hold: in vocatives, introductions, of third parties."""
    name, first = marks.of("[name]"), marks.of(m.FIRST_NAME)
    customer, executive = marks.of(m.CUSTOMER), marks.of(m.EXECUTIVE)
    known = f"[{customer}{first}]"
    text = re.sub(rf"{known}(?:[\s,.-]*{known})+", customer, text)
    text = re.sub(rf"(?i)\b{_TITLE}{known}", customer, text)
    text = _TITLED.sub(name, text)
    text = _SELF.sub(lambda found: found[1] + executive, text)
    text = _OTHERS.sub(lambda found: found[1] + name, text)
    text = _VOCATIVE.sub(lambda found: found[1] + first, text)
    return _OPENING_VOCATIVE.sub(lambda found: found[1] + first, text)


def _without_leaks(line: str, customer: Person, author: Person) -> str:
    pieces = _SENTENCE_BREAK.split(line)
    kept = [
        sentence + gap
        for sentence, gap in zip(pieces[::2], [*pieces[1::2], ""], strict=True)
        if not (
            customer.leaks_into(sentence)
            or author.leaks_into(sentence)
            or _LONG_NUMBER.search(sentence)
            or _NEAR_ADDRESS.search(sentence)
        )
    ]
    return "".join(kept).rstrip()


def _says_something(text: str) -> bool:
    """Tell whether a template holds more than courtesy and slots."""
    plain = re.sub(r"\{[a-z._]+\}|\[[a-z -]+\]", "", text)
    said = [sentence for sentence in split(plain) if not is_wrapping(sentence)]
    return sum(len(sentence.split()) for sentence in said) >= 4 or any(
        len(sentence) >= 12 and not sentence.isascii() for sentence in said
    )
