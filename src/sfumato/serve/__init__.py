"""The public zone: reads releases, answers people and programs, can open nothing."""
