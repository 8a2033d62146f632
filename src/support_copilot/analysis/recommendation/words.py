"""Word lists for finding names."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Parts of a name that say nothing of who it is.
PARTICLES = _words(
    """
    mr mrs ms miss mx dr prof sir herr frau mme von van der den de del della di da do dos du
    la le les el al bin ibn zu zur af av y e and und jr sr ii iii
    """
)

#: Names that are ordinary words too: lower-case they are the word, not the name.
ORDINARY = _words(
    """
    will rose mark bill may grace hope faith joy grant chase dawn art page young long king
    cook price rich guy rob miles skip summer april june august pearl amber crystal olive
    sandy star sky angel major case ward park parks hill lake wood woods stone field brook
    rivers banks green brown black white gray grey gold silver day week knight rice bean berry
    lane street church bell fox bird best good love moon sharp short small sweet swift strong
    power powers fine noble speed spring winter friend house home hall gates post self max dot
    pool pope read reed rush saint say see sell send set shipping show so song still stock
    store sun test than thank the to too try un us wait way we web weight well west what wing
    wise work yes you your an and any as at be but by can car card cash chance check clay
    click code cost customer do door east fair fast fee file first flow free gay general go
    hand has have he her high him his how i ice if in is it item just key lee let like line
    link little live lock log look man many me mobile money my name new no north not now of
    off old on one online only open or order our out over pay phone place please plus point
    question quick real refund reset return right road said sales service she shop sorry south
    stay step support team that them then there they this time token top total train tree turn
    under unit up update user view visit was water when where who why with within word world
    would write year skye reason rock penn lord patience earnest bay blue forest minor nova
    ocean rainbow ridge storm chef
    """
)

#: Mailboxes of a function, not of a person.
MAILBOXES = _words(
    """
    info mail email office contact hello support admin sales billing service team me my the
    post kontakt buero noreply webmaster accounts customer care
    """
)

#: Mail providers open to everybody, and names reserved for examples.
PUBLIC_DOMAINS = _words(
    """
    gmail googlemail yahoo hotmail outlook live icloud aol gmx web proton protonmail mail
    freenet online yandex qq orange wanadoo laposte example test msn comcast posteo mailbox
    """
)

#: Words that say nothing of what an issue is about, in the commonest languages.
FUNCTION_WORDS = _words(
    """
    a about after again all also am an and any are as at be because been before being but by can
    could did do does doing dont for from get got had has have having he hello help her hi him his
    how i if im in into is it its just let like me more my need no not now of off on one only or
    our out over please she should so some still than thank thanks that the their them then there
    these they this to too up us ve very want was we were what when where which who why will with
    would yes you your dear regards best great day good
    der die das ein eine und oder ist sind ich wir sie mein meine nicht mit von zu im in auf es
    bitte danke hallo le la les un une et est je nous vous mon ma pas de des du el los una y no es
    mi que por favor gracias hola bonjour merci
    """
)
