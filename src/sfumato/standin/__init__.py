"""A stand-in for the Messages and Message Batches endpoints, on loopback and without a model."""
