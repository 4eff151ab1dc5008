"""Text that speaks to the auditor or to another model instead of naming a topic."""

from __future__ import annotations

from sfumato.gate.detectors.detector import Detector, pattern

DETECTORS = (
    Detector(
        rule="speaks_to_model",
        finds=pattern(
            r"<\s*(?:text|system|instructions?|rubric|rating)\b[^>]{0,40}>",
            r"<\s*/\s*(?:text|system|instructions?|rubric|rating|prompt|user|assistant)\s*>",
            r"<\|[\w ]{2,24}\|>|\[/?INST\]|<<SYS>>",
            r"(?:^|[.!?:;\"'\]})-]\s*|\bplease )(?:ignore|disregard|forget|override)\s+(?:(?:all|any|the|your|these"
            r"|of)\s+)*"
            r"(?:previous|prior|above|earlier|preceding|existing)?\s*(?:instructions?|rules|guidelines|rubric"
            r"|prompts?)\b",
            r"\b(?:rate|rating|score|grade|mark|label|classify|judge)\b.{0,30}\b(?:[1-5]\s?/\s?5|as 5|a 5|(?:is|=|:"
            r"|with|at|it|this|them) ?\"?5\b"
            r"|five out of five|as (?:safe|allowed|approved|acceptable|compliant|fully general))",
            r"[{\"']\s*\"?rating\"?\s*[:=]\s*\"?\d",
            r"\b(?:you are|act as|as|dear|attention|note to|hello|message to) (?:an? |the )?(?:privacy )?(?:auditor"
            r"|reviewer|rater|judge|grader)\b",
            r"(?:^|[\s\"'`])(?:system|assistant|developer|auditor)\s*(?:prompt|message|note)?\s*:\s*(?:allow|approve"
            r"|this|these|ignore|you|rat|all|"
            r"pass|safe|output|respond)",
            r"\b(?:pre-?approved|already (?:been )?(?:approved|reviewed|audited|anonymi[sz]ed)"
            r"|approved by (?:the )?(?:privacy|audit|legal|compliance))\b",
            r"\b(?:fictional|fake|synthetic|made[- ]up|test)(?: data| person| example)?,? (?:so|therefore"
            r"|hence) (?:it(?:'s| is)|this is|they are) (?:safe|fine|ok|allowed)",
            r"\b(?:return|respond|reply|answer|output)(?: only)?(?: with)? (?:\"?rating|5\b|\"?allowed|\"?safe\b"
            r"|\"?approved)",
        ),
    ),
)  # fmt: skip
