"""Words that say little about a problem, and how a text's language shows in them."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ENGLISH = _words(
    """
    a about after again all also always am an and any anyone anything are aren as ask at be because
    been before being between both but by can cannot cant could couldn d did didn do does doesn
    doing don done down during each either else even ever every few for from get gets getting give
    go goes going got had hadn has hasn have haven having hello help her here hers hi him his how i
    if im in into is isn it its just keep let like ll make makes many may maybe me might mine more
    most much must my myself need never no nor not now of off on once one only or other our ours
    out over own please pls re really s same see shall she should shouldn since so some something
    still such t than thank thanks that the their them then there these they thing this those
    though through to too try trying under until up us use used using ve very want was wasn way we
    well were weren what when where which while who why will with within without won would wouldn
    yes yet you your yours
    """
)
"""English function words and the courtesies of a support request, without apostrophes."""

FOREIGN = (
    _words(
        """
    aber als auch auf aus bei bin bitte das dass dem den der des die ein eine einen einer er es
    fur haben hat hatte ich ihre im ist kann kein keine mehr mein meine mich mir mit nach nicht
    noch oder seit sich sie sind uber um und uns von warum wenn werden wie wir wird wurde zu zum
    au aux avec ce cette dans depuis du elle est et etre il je la le les leur lui mais mes mon ne
    nous ou par pas pour quand que qui sa ses son sont sur une vous
    al como con cuando del desde el ella en esta este estoy hay las lo los mas mi muy para pero
    por porque puedo se sin soy su tengo un y ya yo
    che ci con da della di e gli ho io mio nel non per piu quando sono sul una
    ao com da das do dos ela ele em estou eu foi isso mas meu minha nao na nas nos o os pelo quando
    sao sem tem um uma voce
    aan ben bij dat de een en geen heb heeft het ik kan maar met mijn naar niet ook op te van voor
    waarom wat werkt wij zijn
    """
    )
    - ENGLISH
)
"""Function words of German, French, Spanish, Italian, Portuguese, Dutch; folded to ASCII."""

STOP_WORDS = ENGLISH | FOREIGN - _words("con den des die han per pour sin son sur van")
"""What weighs little and forms no pairs; foreign words that mean something in English are not."""


def is_foreign(words: list[str]) -> bool:
    """Tell whether a text looks not English, from its folded words.

    A text is taken for English unless function words of another language outnumber the English
    ones, or a third of its words are written in another script. Short texts give little to go by.
    """
    if not words:
        return False
    english = sum(word in ENGLISH for word in words)
    foreign = sum(word in FOREIGN for word in words)
    other_script = sum(not word.isascii() for word in words)
    return foreign > english or other_script * 3 > len(words)
