"""Wordings that tell what a sentence does in a conversation: complain, instruct, promise, settle.

English first, with the commonest German, French and Spanish forms. A cue raises a sentence's
chance of being quoted in a part of the summary; it never adds a word.
"""

from __future__ import annotations

import re


def _cue(*patterns: str) -> re.Pattern[str]:
    return re.compile(rf"(?i)(?:{'|'.join(patterns)})")


PROBLEM = _cue(
    r"\b(?:can't|cannot|can not|could ?n[o']t|won't|would ?n[o']t|does ?n[o']t|did ?n[o']t|"
    r"is ?n[o']t|not|never|nothing|unable|no longer)\b",
    r"\b(?:problem|issue|error|fail\w*|broken|broke|crash\w*|stuck|wrong|missing|lost|late|"
    r"delay\w*|cancel\w*|charged|refund|damaged|defect\w*|leak\w*|stopped|block\w*|locked|slow|"
    r"trouble|bug|down|outage|stolen|expired|declined|rejected|complain\w*)\b",
    r"\b(?:need|want|looking for|trying|would like|how (?:do|can|to)|where|why|when)\b",
    r"\b(?:nicht|kein\w*|fehler|kaputt|defekt|problem|falsch|fehlt|storniert|"
    r"r\u00fcckerstattung)\b",
    r"\b(?:ne .{1,20} pas|impossible|erreur|panne|probl\u00e8me|no (?:funciona|puedo|me)|"
    r"problema)\b",
)
NOT_WORKING = _cue(
    r"\bstill (?:not|no|can't|cannot|does(?: not|n['\u2019]t)|is(?: not|n['\u2019]t)|"
    r"won['\u2019]t|haven['\u2019]t|have not|waiting|get|happen\w*|the same|broken|fail\w*|"
    r"having)\b",
    r"\b(?:did ?n[o']t|does ?n[o']t|not|no) (?:work\w*|help\w*|luck|change\w*|fix\w*|solved?|"
    r"better|joy)\b",
    r"\bsame (?:problem|issue|error|thing|result)\b",
    r"\b\b(?:immer noch|weiterhin|nach wie vor)\b|\btoujours pas\b|\bsigue sin\b|\btodav\u00eda "
    r"no\b",
)
NOT_DONE = _cue(
    r"(?:\bnot|n['\u2019]t|\bnever|\bnothing)(?: been| yet| even)? (?:work|help|fix|solv|resol|"
    r"receiv|arriv)"
)
CONFIRMED = _cue(
    r"\b(?:it|that|this|everything|all|they)(?:['\u2019]?s| is| has been| have been| seems? to be|"
    r" are)?(?: now| finally| all)? (?:works?|working|worked|fixed|solved|resolved|sorted|good)\b",
    r"\b(?:works?|working|fixed|solved|resolved|sorted|okay|ok|fine)\b.{0,15}"
    r"\b(?:now|again|thanks|thank you|perfectly)\b",
    r"^(?:works|working|fixed|solved|resolved|sorted)\b",
    r"\bcan \w+ .{0,40}\b(?:now|again)\b|\bmanaged to\b|\bup and running\b",
    r"\b(?:thanks|thank you)\b.{0,40}\b(?:work|fix|help|solv|sort|resol)\w*",
    r"\b(?:that|this|it) (?:did|does) (?:it|the trick)\b",
    r"\b(?:received|arrived|got) (?:it|the|my|them|everything)\b|\bhas (?:arrived|come)\b",
    r"\b(?:funktioniert (?:jetzt|wieder|nun)|geht (?:jetzt|wieder|nun)|hat geklappt|gel\u00f6st|"
    r"behoben)\b",
    r"\b(?:\u00e7a (?:marche|fonctionne)|r\u00e9solu|ya funciona|resuelto|solucionado)\b",
)
SETTLED = _cue(
    r"\b(?:has|have|had|was|were|is|are)(?: now| just| already| been| also|n't)*"
    r" (?:been )?(?:resolved|fixed|refunded|replaced|cancell?ed|shipped|sent|credited|corrected|"
    r"restored|reset|updated|activated|removed|approved|issued|reinstated|unlocked|changed|"
    r"completed|closed|processed|dispatched|delivered|escalated|forwarded|declined)\b",
    r"\b(?:i|we)(?:'ve| have)?(?: now| just| already| also)* (?:resolved|fixed|refunded|replaced|"
    r"cancell?ed|shipped|sent|credited|corrected|restored|reset|updated|activated|removed|"
    r"approved|issued|reinstated|unlocked|changed|completed|closed|processed|escalated|forwarded|"
    r"passed|raised|arranged|booked|applied|extended)\b",
    r"\b(?:wurde|haben wir|ist jetzt|habe ich).{0,60}\b\w+(?:t|en)\b[.!]?$",
    r"\b(?:a \u00e9t\u00e9|nous avons|hemos|ha sido|se ha)\b",
)
INSTRUCTION = _cue(
    r"\b(?:please|pls|kindly|try|make sure|you can|you could|you(?:'ll| will)? need to|you may|"
    r"head (?:over )?to|go to|click|tap|press|open|select|choose|restart|reboot|reinstall|reset|"
    r"update|log (?:in|out)|sign (?:in|out)|clear|check|visit|follow|call|contact|reach out|"
    r"(?:we|i|i'd|we'd) (?:recommend|suggest|advise))\b",
    r"\b(?:bitte|versuchen|klicken|\u00f6ffnen|starten sie|veuillez|essayez|cliquez|por favor|"
    r"intente)\b",
)
REPORT = _cue(
    r"\b(?:i|we)(?:'ve| have|'d| had)?(?: already| just| also| now| even| both)* (?:tried|"
    r"did(?! not|n)|done|restarted|rebooted|reset|reinstalled|updated|cleared|checked|called|"
    r"contacted|sent|dm(?:'?e)?d|emailed|filled|followed|deleted|uninstalled|logged|changed|spoke|"
    r"replaced|cancelled|went|asked|waited|used|turned|unplugged|switched)\b",
    r"^(?:tried|done|did|restarted|already|just (?:tried|did|sent))\b",
    r"\b(?:habe ich|ich habe|wir haben|j'ai|he probado|ya he)\b",
)
PROMISE = _cue(
    r"\b(?:i|we)(?:'ll| will| shall| am going to| are going to|'re going to| aim to)"
    r" (?!need|require|see what|do our best|be (?:happy|glad|able|here|on the lookout))",
    r"\b(?:you(?:'ll| will| should)|it(?:'ll| will| should)|(?:refund|parcel|replacement|order|"
    r"technician|specialist|team|colleague) (?:will|should)) (?!need)",
    r"\b(?:within|by|before|until|in the next) (?:the |a |\d|next|tomorrow|mon|tue|wed|thu|fri|"
    r"sat|sun)",
    r"\b(?:wir werden|ich werde|wir melden|melden uns|innerhalb|nous allons|dans les|en un plazo|"
    r"le enviaremos|nos pondremos)\b",
)
ASKS_FOR = _cue(
    r"\b(?:please|can you|could you|would you|kindly|pls)\b.{0,40}\b(?:send|provide|confirm|share|"
    r"dm|tell|let (?:us|me) know|give|attach|reply|forward|message|advise|describe|upload|email)\b",
    r"\b(?:send|dm|message) (?:us|me)\b|\bwe(?:'ll| will)? (?:would )?need (?:your|the|to know|"
    r"some)\b",
    r"\b(?:bitte|k\u00f6nnen sie|k\u00f6nnten sie)\b.{0,60}\b(?:senden|schicken|nennen|mitteilen|"
    r"angeben|best\u00e4tigen|sagen)\b",
    r"\b(?:pourriez-vous|pouvez-vous|podr\u00eda|puede)\b",
)
NOT_NOW = _cue(
    r"\b(?:old|before|used to|previously|until|should|supposed|other|if|when|but|hope|yet)\b"
)
THANKS = _cue(r"\b(?:thanks|thank you|thx|cheers|danke|merci|gracias|perfect|awesome|great)\b")
_QUESTION_START = re.compile(
    r"(?i)^(?:who|what|where|when|why|how|which|can|could|will|would|is|are|do|does|did|has|have|"
    r"should|any (?:idea|news|update)|wann|wo|wie|warum|wieso|was|k\u00f6nnen|gibt es|quand|"
    r"comment|pourquoi|cu\u00e1ndo|c\u00f3mo|por qu\u00e9)\b"
)


def is_question(sentence: str) -> bool:
    """Tell whether a sentence asks, also where its author left out the question mark."""
    text = sentence.rstrip(" \"')")
    if text.endswith(("?", "\uff1f", "\u061f")):
        return True
    return not text.endswith((".", "!")) and bool(_QUESTION_START.match(text))
