"""One file for each version; once released it is never changed."""
