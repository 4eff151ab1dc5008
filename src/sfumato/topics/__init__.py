"""From bounded private extracts to released topics: every private number passes through a Measurer."""
