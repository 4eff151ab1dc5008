"""Everything between an exact private statistic and a published number: bounds, noise, accounting, ledger."""
