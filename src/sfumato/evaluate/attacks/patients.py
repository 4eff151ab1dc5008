"""Made-up medical chats: who asks, what ails them, and what anybody could guess of it without a release.

The figures are invented for the attack and say nothing about medicine; what matters is that guessing is hard.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

AGES = ("twenties", "forties", "sixties", "eighties")
SEXES = ("woman", "man")
TOLD = 3  # symptoms that a patient tells

# disease: how common, share of women, weights of the age bands, symptoms
_DISEASES: dict[str, tuple[int, float, tuple[int, int, int, int], str]] = {
    "migraine": (6, 0.7, (3, 3, 1, 1), "headache nausea dizziness fatigue numbness"),
    "asthma": (6, 0.5, (3, 2, 2, 2), "wheezing coughing breathlessness fatigue insomnia"),
    "gout": (4, 0.2, (1, 3, 3, 2), "swelling stiffness redness fever limping"),
    "shingles": (3, 0.5, (1, 1, 3, 4), "rash itching fever numbness headache"),
    "sciatica": (5, 0.5, (1, 3, 3, 2), "numbness limping stiffness insomnia cramps"),
    "anaemia": (5, 0.8, (3, 2, 2, 3), "fatigue dizziness breathlessness headache pallor"),
    "psoriasis": (4, 0.5, (2, 3, 2, 1), "rash itching redness stiffness swelling"),
    "tuberculosis": (2, 0.4, (2, 2, 2, 2), "coughing fever sweating fatigue breathlessness"),
    "appendicitis": (2, 0.5, (4, 2, 1, 1), "cramps nausea fever sweating bloating"),
    "bronchitis": (6, 0.5, (2, 2, 3, 3), "coughing wheezing fever fatigue sweating"),
    "pneumonia": (4, 0.5, (1, 1, 3, 4), "coughing fever sweating breathlessness pallor"),
    "hypothyroidism": (4, 0.8, (1, 3, 3, 2), "fatigue cramps swelling pallor bloating"),
    "endometriosis": (4, 1.0, (4, 3, 0, 0), "cramps bloating nausea fatigue limping"),
    "diabetes": (6, 0.5, (1, 2, 4, 3), "fatigue numbness itching dizziness sweating"),
    "angina": (4, 0.4, (0, 2, 4, 4), "breathlessness sweating nausea dizziness pallor"),
    "gallstones": (4, 0.7, (1, 3, 3, 2), "cramps nausea bloating sweating itching"),
    "epilepsy": (2, 0.5, (3, 2, 1, 2), "dizziness numbness headache insomnia limping"),
    "lupus": (2, 0.9, (3, 3, 1, 0), "rash swelling stiffness fatigue redness"),
    "mononucleosis": (3, 0.5, (5, 1, 0, 0), "fever fatigue swelling headache rash"),
    "hepatitis": (3, 0.4, (2, 3, 2, 1), "itching nausea bloating pallor fever"),
}
DISEASES = tuple(_DISEASES)
SYMPTOMS = tuple(sorted({symptom for _, _, _, told in _DISEASES.values() for symptom in told.split()}))

# Words of grammar around those that tell: what a sentence vector makes of a chat is what it is about.
_OPENINGS = (
    "I am a {sex} in my {age}.",
    "I am in my {age}, a {sex}.",
    "As a {sex} in my {age} I am not sure about this.",
)
_COMPLAINTS = ("I have had {told}.", "There is {told}.", "For me it is {told}.")
_VERDICTS = ("They say it is {disease}.", "It seems to be {disease}.", "So it is {disease}, they say.")
_QUESTIONS = ("What should I do now?", "What can I do about it?", "What might I take for it?")

_SUBJECTS = (
    "sourdough bread oven flour", "tax return deduction salary", "python traceback function loop",
    "visa application embassy passport", "marathon training shoes pace", "wedding speech toast guests",
    "guitar chords song tuning", "garden tomatoes soil watering", "mortgage rent landlord lease",
    "chess opening knight endgame", "camera lens portrait lighting", "novel chapter plot character",
    "spanish verbs grammar lesson", "bicycle chain brake repair", "resume interview salary recruiter",
    "budget spreadsheet formula column", "puppy training leash walking", "flight luggage airport delay",
    "essay thesis paragraph citation", "router wifi signal password",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """One person's condition. symptoms: three of their disease's; the first is the one that an attacker knows."""

    age: str
    sex: str
    symptoms: tuple[str, ...]
    disease: str


def draw(rng: Random) -> Patient:
    """A patient as they come."""
    disease = rng.choices(DISEASES, [common for common, _, _, _ in _DISEASES.values()])[0]
    _, women, ages, told = _DISEASES[disease]
    return Patient(
        age=rng.choices(AGES, ages)[0],
        sex=SEXES[rng.random() >= women],
        symptoms=tuple(rng.sample(told.split(), TOLD)),
        disease=disease,
    )


def prior(patient: Patient) -> dict[str, float]:
    """Probability of each disease given age, sex and the first symptom: all that can be known without a release."""
    weights = {}
    for disease, (common, women, ages, told) in _DISEASES.items():
        fits = patient.symptoms[0] in told.split()
        sex = women if patient.sex == SEXES[0] else 1 - women
        age = ages[AGES.index(patient.age)] / sum(ages)
        weights[disease] = common * sex * age * fits
    total = sum(weights.values())
    return {disease: weight / total for disease, weight in weights.items()}


def chat(patient: Patient, rng: Random) -> str:
    """What the patient writes to the assistant, their disease included."""
    *head, last = patient.symptoms
    return " ".join(
        (
            rng.choice(_OPENINGS).format(sex=patient.sex, age=patient.age),
            rng.choice(_COMPLAINTS).format(told=f"{', '.join(head)} and {last}"),
            rng.choice(_VERDICTS).format(disease=patient.disease),
            rng.choice(_QUESTIONS),
        )
    )


def poison(target: Patient, order: str, rng: Random) -> str:
    """A chat that lies where the target's may lie, says what the attacker knows of them, and gives an order."""
    return " ".join(
        (
            rng.choice(_OPENINGS).format(sex=target.sex, age=target.age),
            rng.choice(_COMPLAINTS).format(told=target.symptoms[0]),
            rng.choice(_QUESTIONS),
            order,
        )
    )


def everyday(rng: Random) -> str:
    """What anybody else asks."""
    one, other = rng.sample(_SUBJECTS, 2)
    first, second = rng.sample(one.split(), 2)
    third, fourth = rng.sample(other.split(), 2)
    return f"Can you help me with {first} and {second}? I do not understand {third} or {fourth}."
