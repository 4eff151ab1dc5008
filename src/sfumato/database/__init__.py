"""What every store shares: how a database is named, reached, brought up to date, guarded by roles and backed up."""
