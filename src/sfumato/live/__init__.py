"""The worker that answers live questions from the encrypted extracts: bounded, charged, noisy, above thresholds."""
