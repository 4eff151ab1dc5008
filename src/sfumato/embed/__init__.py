"""Sentence vectors: batch in, batch out, each vector a function of its own text alone."""
