"""The way out: thresholds, auditor, and the door, the only maker of a Release."""
