"""Names and birthdays where the words around them give them away; a bare name is left to a model that reads.

No dependency that is small and well kept has lists of given names, and such lists deny roses, dawns and Parises. So
these rules find a name after a title, after "my name is", with a middle initial, or in a salutation, and no other.
"""

from __future__ import annotations

import re

from sfumato.gate.detectors.detector import Detector, pattern

_CAPITAL = (
    r"(?:(?:van|von|de|de la|del|da|dos|di|le|la|bin|al|el|ter|ten|zu|Mc|Mac|O'|D'|d') ?)?"
    r"[A-ZÀ-ÖØ-ÞĀ-ŽΑ-ΩА-ЯЁІЇЄ][\w'\u00c0-\u024f-]*[^\W\d_]"
)
_TITLE = (
    r"Mr|Mrs|Ms|Mx|Dr|Prof|Professor|Doctor|Herr|Frau|Monsieur|Madame|Mademoiselle|Mme|Mlle|Señor|Señora|Señorita|Sra?"
    r"|Srta|Doña|Signor|Signora|Dott|Dottoressa|Senhora?|Doutora?|Shri|Smt|господин|госпожа|доктор"
)
_RANK = r"Miss|Sir|Rev|Reverend|Captain|Capt|Sgt|Sergeant|Lt|Lieutenant|Colonel|Officer|Nurse|Judge|Detective|Principal"
_WELL_KNOWN = """
    pepper who strange martens martin seuss dre oz doolittle doom robot bean beast potato t darcy rogers smith's
    doubtfire dalloway maisel universe world america marple piggy fortune bovary butterfly bossy word excel office teams
    access windows outlook dos sql server office365 project visio powerpoint marvel fixit fox clean muscle right wrong
    perfect speaker president chairman justice jesus god
    practitioner candidate training
"""
_FAMOUS = frozenset(_WELL_KNOWN.split())
_TITLED = re.compile(rf"(?<![\w'])(?:(?:{_TITLE})\.? ({_CAPITAL})|(?:{_RANK})\.? ({_CAPITAL}) {_CAPITAL})")
_INTRODUCED = (
    r"(?:[Mm]y|[Hh]is|[Hh]er|[Tt]heir|[Yy]our|'s|[Uu]ser's|[Ww]hose|[Tt]he|[Ff]ull|[Ll]egal|[Mm]aiden|[Ff]irst"
    r"|[Ll]ast) "
    r"(?:full |legal |real |first |last |given |family |maiden |account |patient |customer )?(?:name|surname) (?:is"
    r"|was|being|:)(?: actually| really)? "
)
_ROLES = (
    r"patient|client|colleague|coworker|co-worker|neighbou?r|landlord|tenant|employee|classmate|roommate|boyfriend"
    r"|girlfriend|ex-?wife|ex-?husband|wife|husband|daughter|son|brother|sister|mother|father|aunt|uncle|cousin|nephew"
    r"|niece|grandmother|grandfather|boss|manager|supervisor|teacher|student|defendant|plaintiff|suspect|witness|victim"
    r"|therapist|employer|accountholder|account holder|cardholder|user|customer|resident|applicant|candidate"
)
_OFFICE = (
    r"(?!(?:Hiring|Human|First|Last|Full|Customer|Sales|Support|Santa|Sir|Madam|Team|Technical|Future|Your|The)\b)"
)
_DAY = (
    r"(?:\d{1,2}(?:st|nd|rd|th|\.|º)?[ ./-](?:de |of )?(?:\d{1,2}|[^\W\d]{3,12}\.?)[ ./,-]{1,2}(?:de )?(?:19|20)?\d\d"
    r"|[^\W\d]{3,9}\.? \d{1,2}(?:st|nd|rd|th)?,? (?:19|20)\d\d|(?:19|20)\d\d[-/.年]\d{1,2}[-/.月]\d{1,2})"
)


def _titled(text: str) -> bool:
    return any((found[1] or found[2]).lower().removesuffix("'s") not in _FAMOUS for found in _TITLED.finditer(text))


DETECTORS = (
    Detector(rule="person_title", finds=_titled),
    Detector(
        rule="person_name",
        finds=pattern(
            rf"{_INTRODUCED}{_CAPITAL}",
            rf"\b(?:named|called|by the name of|known as|nicknamed) {_CAPITAL} {_CAPITAL}",
            rf"\b(?:[Dd]ear|[Ss]incerely|[Rr]egards|[Cc]heers|[Ss]igned(?: by)?|[Ss]igned,|[Aa]ttn:?"
            rf"|[Cc]/o),? {_OFFICE}{_CAPITAL} {_CAPITAL}",
            rf"\b(?:{_ROLES})(?:,| is| was| named| called|:)? {_CAPITAL} {_CAPITAL}",
            r"\b[A-ZÀ-ÖØ-Þ][a-zß-ÿ\u0100-\u017f]{1,14} [A-Z]\. [A-ZÀ-ÖØ-Þ][\w'\u00c0-\u024f-]{2,}",
            rf"\b(?:[Nn]ame|[Nn]ombre|[Nn]om|[Nn]ome|Имя|Patient|Employee|Customer|Client|Contact|Cardholder"
            rf"|Beneficiary)\s*[:=] ?{_OFFICE}{_CAPITAL} {_CAPITAL}",
            rf"\b(?:[Mm]e llamo|[Mm]i nombre es|[Ii]ch heiße|[Mm]ein Name ist|[Jj]e m'appelle|[Mm]on nom est"
            rf"|[Mm]i chiamo"
            rf"|[Mm]eu nome é|[Mm]e chamo|[Mm]ijn naam is|[Jj]ag heter|[Mm]инова|[Мм]еня зовут"
            rf"|[Nn]azywam się) {_CAPITAL}",
            r"(?:我叫|我的名字是|私の名前は|名前は)\s?[\u3040-\u30ff\u4e00-\u9fff]{2,8}",
            rf"\b[A-Z][\w'-]+,? {_CAPITAL},? (?:aged \d+|\d\d,|born (?:on|in) \d|\(?DOB)",
            cased=True,
        ),
    ),
    Detector(
        rule="birth_date",
        digits=2,
        finds=pattern(
            rf"\b(?:born|birth ?date|date of birth|birthday|d\.?o\.?b\.?|geb(?:oren)?\.?|geburtsdatum|née?|nacid[oa]"
            rf"|naciendo|date de naissance"
            rf"|fecha de nacimiento|data de nascimento|nascid[oa]|nat[oa]|data di nascita|geboren op|född|født"
            rf"|syntynyt|urodzon[ya]|дата рождения"
            rf"|родил(?:ся|ась)?)\b(?: (?:is|was|on|am|le|el|em|il|ist|the|den|est))*\W{{0,3}}{_DAY}",
            r"(?:出生日期|生日|出生于|生年月日|誕生日)\W{0,3}(?:是|は)?\s?(?:19|20)\d\d",
            r"(?:19|20)\d\d年\d{1,2}月\d{1,2}日(?:出生|生まれ|生)",
        ),
    ),
)  # fmt: skip
