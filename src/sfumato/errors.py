"""Every error sfumato raises on purpose, one tree, each with the exit code a shell sees.

    SfumatoError                 1   ours: one line that says what is wrong and what to do
    ├── InputError               1   the input can't be read at all (single bad lines are counted, not raised)
    │   └── NothingAccepted      1   it was read to its end, and no line of it could be accepted
    ├── KeyMissing               1   a key can't be found, or may not be used as it lies
    ├── VaultError               1   a sealed record or segment fails its checks
    ├── ModelUnavailable         1   a model is not to be had: its weights, its endpoint, or the key to it
    ├── StorageError             1   the data directory can't be written or read
    ├── NoiseFailure             1   no noise: a worker could not start, or died and what was reserved is burned
    ├── PolicyError              2   the policy file can't be accepted
    ├── Refused                  3   the policy does not allow it
    └── BudgetExhausted          4   the ledger has not enough left

A message never holds text of a conversation, a user id, or an exact count of people.
"""

WHY_NO_START = (
    'it imports the program that runs, whose work must stand under `if __name__ == "__main__":`; if it does, was there '
    "memory enough?"
)
"""Of a process of ours that ended before it was ready: what the caller can look at."""


class SfumatoError(Exception):
    """The root: catch this to catch all that sfumato raises on purpose."""

    exit_code = 1


class InputError(SfumatoError):
    """The input as a whole is unreadable: missing, empty, binary, truncated."""


class NothingAccepted(InputError):  # noqa: N818 - the name says what happened
    """The input was read to its end, and no line of it could be accepted."""


class KeyMissing(SfumatoError):  # noqa: N818 - the name says what happened
    """A key is absent, destroyed, or lies where it must not be trusted."""


class VaultError(SfumatoError):
    """A sealed record or segment is truncated, swapped, re-labelled or otherwise not what it says."""


class ModelUnavailable(SfumatoError):  # noqa: N818
    """The sentence-vector model is missing or its bytes are not the pinned ones."""


class StorageError(SfumatoError):
    """The data directory can't be written (full, read-only, not a directory) or read."""


class NoiseFailure(SfumatoError):  # noqa: N818
    """A noise worker could not start, before any charge; or it died or answered nonsense: the charge stays spent."""


class PolicyError(SfumatoError):
    """The policy document is not acceptable; the message names file, line and field."""

    exit_code = 2


class Refused(SfumatoError):  # noqa: N818
    """A rule of the policy, or of the gate, says no."""

    exit_code = 3


class BudgetExhausted(SfumatoError):  # noqa: N818
    """Granting this charge would pass the epoch's or the year's budget."""

    exit_code = 4
