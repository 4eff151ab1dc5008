"""What sfumato costs on this machine, apart from the vector model: one file for each subject, `whole` runs them all."""
