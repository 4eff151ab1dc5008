"""The tamper-evident log of every decision: who asked what shape of question, what was decided, what it cost."""
