"""The active test of the path to a remote scheduler or agent and back."""
