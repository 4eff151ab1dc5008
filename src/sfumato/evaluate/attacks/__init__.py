"""The attacks of the literature against our own releases: each measures how much better than guessing it does."""
