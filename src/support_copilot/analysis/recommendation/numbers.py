"""Numbers, addresses, dates and links of one case become slots of a template.

What is general knowledge stays: error codes, versions, short counts, opening hours, links to
help pages. In doubt a number goes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from support_copilot.analysis.recommendation import marks as m

if TYPE_CHECKING:
    from support_copilot.analysis.recommendation.marks import Marks

_URL = re.compile(r"(?i)\b(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?)\]']")
_HELP_PATH = re.compile(
    r"(?i)/(?:hc|help|support|articles?|faqs?|docs?|kb|knowledge|questions|guides?)\b"
)
_IDENTIFYING_SEGMENT = re.compile(r"\d{3,}|[A-Za-z0-9_-]{16,}|[@%=~]")
_EMAIL = re.compile(
    r"(?i)[^\s<>()\[\],;:\"@]{1,64}(?:@[\w-]+(?:\.[\w-]+)+|"
    r"\s?[\[(](?:at|@)[\])]\s?[\w-]+(?:\s?[\[(](?:dot|\.)[\])]\s?[\w-]+|\.[\w-]+)+)"
)
_HANDLE = re.compile(r"(?<![\w@])@\w+[ \t]*")

_NUMBER_WORD = (
    r"(?:number|num|no\.?|nr\.?|id|code|ref(?:erence)?\.?|nummer|num\u00e9ro|n\u00famero)"
)
_CUES = {
    "order": r"orders?|purchase|po|bestell(?:ung|nummer)|auftrag(?:snummer)?|commande|pedido",
    "invoice": r"invoices?|bill|receipt|rechnung(?:snummer)?|facture|factura",
    "tracking": r"tracking|parcel|shipment|package|consignment|sendung(?:snummer)?|"
    r"paket(?:nummer)?",
    "account": r"accounts?|acct|customer|client|member(?:ship)?|contract|policy|user|"
    r"kunden(?:nummer)?|vertrag(?:snummer)?|konto(?:nummer)?|compte|cuenta",
    "issue": r"issues?|tickets?|case|request|ticketnummer|vorgang(?:snummer)?|incident|rma|claim",
    "booking": r"bookings?|reservation|confirmation|pnr|flight|seat|gate|buchung(?:snummer)?|"
    r"reserva",
    "serial": r"serial|s/n|imei|device|meter|model",
    "reference": r"reference|ref|transaction|payment|transfer|referenz|r\u00e9f\u00e9rence|"
    "referencia",
    "license": r"licen[cs]e|product key|key|voucher|coupon|promo|discount|gift card|gutschein",
}
_SLOT_OF = {
    "order": "[order number]",
    "invoice": "[invoice number]",
    "tracking": "[tracking number]",
    "account": "[account number]",
    "issue": "[issue number]",
    "booking": "[booking reference]",
    "serial": "[serial number]",
    "reference": "[reference]",
    "license": "[code]",
}
_CUED = {
    kind: re.compile(
        rf"(?i)(\b(?:{cue})(?:\s+{_NUMBER_WORD})*\s*(?:(?:is|was|ist|lautet|:|\#|=)\s*)*)"
        r"((?-i:[A-Z]{0,5}-?)(?=[\w/-]*\d[\w/-]*\d)[A-Za-z0-9][\w/-]*(?: \d{2,}\b)*)"
    )
    for kind, cue in _CUES.items()
}
_NAMED = {
    kind: re.compile(
        rf"(?i)(\b(?:{cue})(?:\s+{_NUMBER_WORD})+\s*(?:(?:is|was|ist|lautet|:|\#|=)\s*)*)"
        r"((?-i:[A-Z]{4,12})\b|(?=[\w/-]*\d)[A-Za-z0-9][\w/-]*)"
    )
    for kind, cue in _CUES.items()
}
_SECRET = re.compile(
    r"(?i)(\b(?:password|passwort|pin|passcode|code|login|username|user name|mot de passe|"
    r"contrase\u00f1a)\s*(?:(?:is|ist|est|es|:|"
    r"=)\s*)+[\"'\u201c]?)([^\s\"'\u201d]*[^\s\"'\u201d.,;!?])"
)
_ENDING = re.compile(r"(?i)(\bending (?:in|with)\s+)(\w*\d\w*)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,4})?\b")
_CARD = re.compile(r"(?<!\d)\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{1,7}(?!\d)")
_NETWORK = re.compile(
    r"(?i)\b(?:\d{1,3}\.){3}\d{1,3}\b|\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b|"
    r"\b(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{1,4}\b"
)
_ROUTER = frozenset(("127.0.0.1", "192.168.0.1", "192.168.1.1", "192.168.178.1", "10.0.0.1"))
_UUID = re.compile(r"(?i)\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")

_MONTH = (
    r"(?:jan(?:uary|uar|vier)?|enero|feb(?:ruary|ruar|rero)?|f\u00e9vrier|mar(?:ch|s|zo)?|"
    r"m\u00e4rz|apr(?:il)?|avril|abril|may|mai|mayo|june?|juni|juin|junio|july?|juli|juillet|"
    r"julio|aug(?:ust)?|ao\u00fbt|agosto|sept?(?:ember|embre)?|septiembre|o[ck]t(?:ober|obre)?|"
    r"octubre|nov(?:ember|embre)?|noviembre|de[cz](?:ember)?|d\u00e9cembre|diciembre)"
)
_WEEKDAY = (
    r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|montag|dienstag|mittwoch|donnerstag|freitag|"
    r"samstag|sonntag|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|"
    r"mi\u00e9rcoles|jueves|viernes|s\u00e1bado|domingo)"
)
_DATE = re.compile(
    rf"(?i)\b(?:{_WEEKDAY},?\s+)?(?:the\s+)?(?:"
    rf"\d{{1,2}}(?:st|nd|rd|th|er|\.)?\s+(?:of\s+|de\s+)?{_MONTH}\b\.?(?:,?\s+(?:de\s+)?\d{{4}})?|"
    rf"{_MONTH}\.?\s+\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s+\d{{4}})?|{_MONTH}\s+\d{{4}}|"
    r"\d{4}[-./]\d{1,2}[-./]\d{1,2}(?:T[\d:.]+Z?)?|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}|"
    r"\d{1,2}\.\d{1,2}\.(?=\s|$))"
)
_ON_WEEKDAY = re.compile(
    rf"(?i)\b((?:on|by|until|before|since|this|next|last|coming|am|bis|ab|seit)\s+){_WEEKDAY}\b"
    r"(?!\s*(?:to|through|and|bis|-|\u2013)\s)"
)
_TIME = re.compile(
    r"(?i)\b((?:at|around|um|gegen)\s+)(?:\d{1,2}[:.]\d{2}(?:\s?[ap]\.?m\b\.?|\s?uhr)?|"
    r"\d{1,2}\s?(?:[ap]m|uhr)\b)"
)
_CURRENCY = r"(?:USD|EUR|GBP|CHF|CAD|AUD|INR|JPY|SEK|NOK|DKK|PLN|CZK|US\$)"
_FIGURE = r"\d[\d.,']{0,20}"
_AMOUNT = re.compile(
    rf"(?i)(?:[\u20ac$\u00a3\u00a5\u20b9]|\b{_CURRENCY})\s?{_FIGURE}(?<=\d)(?:\s?{_CURRENCY}\b)?|"
    rf"\b{_FIGURE}\s?(?:[\u20ac\u00a3\u00a5\u20b9$]|"
    rf"(?:{_CURRENCY}|euros?|dollars?|pounds?|francs?|cents?|rupees)\b)"
)
_PLACE = r"(?:,?[ ]+(?:[A-Z]{1,2}\d[\w]*|\d[A-Z]{2}\b|\d{4,6}|[A-Z\u00c0-\u00de][\w'\u2019-]*))"
_STREETS = (
    # 12 High Street
    (
        r"\b\d+[a-z]?,?[ ](?:[A-Z][\w'\u2019.-]{0,40}[ ]){1,4}(?:Street|St|Road|Rd|Avenue|Ave|Lane|"
        r"Ln|Drive|Dr|Boulevard|Blvd|Way|Court|Ct|Square|Sq|Place|Pl|Terrace|Close|Crescent|"
        r"Highway|"
        r"Hwy|Parkway|Row|Hill|Gardens|Grove|Mews|Park|Circle|Trail)\b\.?"
    ),
    # Hauptstraße 12, Kerkstraat 5
    (
        r"\b[\w\u00c0-\u024f-]{0,40}(?:stra\u00dfe|strasse|str\.|weg|platz|allee|gasse|ring|damm|"
        r"ufer|"
        r"straat|laan|plein|gatan|v\u00e4gen|vej)[ ]\d+[ ]?[a-z]?\b"
    ),
    # Lange Straße 12
    (
        r"\b[A-Z\u00c0-\u00de][\w.-]{0,40}[ ](?:Stra\u00dfe|Strasse|Str\.|Weg|Platz|Allee|Gasse|"
        r"Ring|Damm|Ufer)[ ]\d+[ ]?[a-z]?\b"
    ),
    # 5 rue de la Paix
    (
        r"(?i:\b\d+[a-z]?(?:[ ](?:bis|ter))?,?[ ](?:rue|avenue|boulevard|place|chemin|all\u00e9e|"
        r"quai)[ ](?:(?:de|du|des|la|le|les|l')[ ]?){0,3})[\w'\u2019-]+"
    ),
    # Calle de Alcalá 7, via Roma 3
    (
        r"(?i:\b(?:calle|avenida|avda\.?|plaza|paseo|via|viale|piazza|rua)[ ]"
        r"(?:(?:de|del|la|los|las|di|da|do)[ ]){0,2})"
        r"(?:[\w'\u2019-]+[ ]){0,2}[\w'\u2019-]+,?[ ](?:n\u00ba[ ])?\d+\b"
    ),
    r"(?i:\b(?:p\.?[ ]?o\.?[ ]box|postfach)[ ]\d[\d ]*\d?)",
)
_ADDRESS = re.compile(
    r"(?:\b(?:apt|apartment|flat|suite|unit|room)\.?[ ]\w{1,5},?[ ])?"
    rf"(?:{'|'.join(_STREETS)}){_PLACE}{{0,6}}"
)
_POSTCODE = re.compile(
    r"\b(?:(?i:apt|apartment|suite)\.?[ ]\d{1,5}|[A-Z]{1,2}\d[A-Z\d]?[ ]\d[A-Z]{2}|[A-Z]{2}[ "
    r"]\d{5}(?:-\d{4})?|[A-Z]\d[A-Z][ ]\d[A-Z]\d|"
    r"(?:[A-Z]{1,2}-)?\d{4,5}[ ][A-Z\u00c0-\u00de][\w\u00c0-\u024f-]+)\b"
)
_KNOWN_CODE = re.compile(
    r"(?i)\b(?:error|fehler|erreur|exception|status|http|port|kb|rfc|cve|iso|utf|sha|aes|version|"
    r"build|firmware|release|windows|office|android|ios|macos|v)(?:[ -](?:code|number|no\.?))?"
    r"[ :#-]{0,2}(?:0x[0-9a-f]{4,8}|\d{1,5}(?:[.-]\d{1,6}){0,3})\b|\b0x[0-9a-f]{4,8}\b"
)
_PLAIN_NUMBER = re.compile(
    r"(?i)\b(?:19|20)\d\d\b(?![ ./-]?\d)|\b\d+(?:\.\d+)?[ ]?(?:[kmgt]i?b|[kmg]hz|mbps|gbps|px|p|"
    r"ms|fps|kwh?|mah|km|kg|cm|mm|mg|ml|lbs?|hours?|hrs?|minutes?|min|seconds?|days?|weeks?|"
    r"months?|years?|%)(?![\w])"
)
_DIGITS = re.compile(r"(?<!\w)[+(]{0,2}\d(?:[ ./()\u2013-]{0,2}\d){2,}(?!\w)")
_PHONE_CUE = re.compile(
    r"(?i)(?:phone|tel|call|mobile|cell|number|ring|telefon|handy|whatsapp|fax)\W"
)
_THOUSANDS = re.compile(r"\b\d{1,3}(?:[,']\d{3})+\b")
_PREFIXED = re.compile(r"\b[A-Z]{2,8}[-_/]?\d[\w-]*\b|(?<!\w)#\s?\w*\d\w*")
_TOKEN = re.compile(
    r"\b(?=[A-Za-z-]{0,40}\d)(?=[\d-]{0,40}[A-Za-z])[A-Za-z0-9][A-Za-z0-9_-]{4,80}\b"
)


def mask_numbers(text: str, issue_number: int, marks: Marks) -> str:
    """Return ``text`` with marks in place of what identifies one case."""
    text = _URL.sub(lambda found: marks.of(_public_link(found[0])), text)
    text = _EMAIL.sub(marks.of("[e-mail address]"), text)
    text = _HANDLE.sub("", text)
    text = _NETWORK.sub(
        lambda found: marks.of(found[0] if found[0] in _ROUTER else "[network address]"), text
    )
    text = _UUID.sub(marks.of("[reference]"), text)
    text = _IBAN.sub(marks.of("[account number]"), text)
    text = _CARD.sub(marks.of("[card number]"), text)
    text = re.sub(
        rf"(?<![\w.,])(?:[A-Z]{{1,6}}-|\#\s?)?{issue_number}(?![\w]|[.,]\d)",
        marks.of(m.ISSUE_NUMBER),
        text,
    )
    text = _KNOWN_CODE.sub(lambda found: marks.of(found[0]), text)
    text = _SECRET.sub(lambda found: found[1] + _secret(found[2], marks), text)
    text = _ADDRESS.sub(marks.of("[address]"), text)
    text = _DATE.sub(marks.of("[date]"), text)
    text = _ON_WEEKDAY.sub(lambda found: found[1] + marks.of("[date]"), text)
    text = _TIME.sub(lambda found: found[1] + marks.of("[time]"), text)
    text = _AMOUNT.sub(marks.of("[amount]"), text)
    text = _ENDING.sub(lambda found: found[1] + marks.of("[last digits]"), text)
    for kind in _CUES:
        slot = marks.of(_SLOT_OF[kind])
        for pattern in (_NAMED[kind], _CUED[kind]):
            text = pattern.sub(rf"\g<1>{slot}", text)
    text = _PLAIN_NUMBER.sub(lambda found: marks.of(found[0]), text)
    text = _POSTCODE.sub(marks.of("[address]"), text)
    text = _DIGITS.sub(lambda found: _digits(found, marks), text)
    text = _THOUSANDS.sub(marks.of("[number]"), text)
    text = _PREFIXED.sub(marks.of("[reference]"), text)
    return _TOKEN.sub(lambda found: _token(found[0], marks), text)


def _public_link(url: str) -> str:
    """Return a link to a help page without its query; any other identifying link as a slot."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        host = parts.hostname or ""
    except ValueError:
        return "[link]"
    identifying = any(_IDENTIFYING_SEGMENT.search(segment) for segment in parts.path.split("/"))
    on_help_page = bool(_HELP_PATH.search(parts.path)) or host.startswith(("help.", "support."))
    if "@" in parts.netloc or parts.query or "=" in parts.fragment:
        identifying = True
    if not identifying:
        return url
    if on_help_page and "@" not in parts.netloc and not re.search(r"[@%=~]", parts.path):
        return f"{parts.scheme}://{parts.netloc}{parts.path}"
    return "[link]"


def _secret(word: str, marks: Marks) -> str:
    plain_word = word.isalpha() and word.islower()
    return word if plain_word or m.PRIVATE.search(word) else marks.of("[code]")


def _digits(found: re.Match[str], marks: Marks) -> str:
    text = found[0]
    groups = re.findall(r"\d+", text)
    count = sum(map(len, groups))
    if count < 6 and max(map(len, groups)) < 4:
        return text
    before = found.string[max(0, found.start() - 25) : found.start()]
    phone = count >= 7 and (text[0] in "+(0" or len(groups) >= 3 or bool(_PHONE_CUE.search(before)))
    return marks.of("[phone number]" if phone else "[number]")


def _token(word: str, marks: Marks) -> str:
    digits = sum(character.isdigit() for character in word)
    shouting = word.upper() == word
    identifying = digits >= 2 and (shouting or digits >= 3)
    return marks.of("[reference]") if identifying else word
