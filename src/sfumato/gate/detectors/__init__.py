"""Rules that find an individual in a string, by kind of identifier; `battery` runs them all."""
