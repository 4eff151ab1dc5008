"""`python -m sfumato`: the same as the command."""

from sfumato.cli import main

main()
