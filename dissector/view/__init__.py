"""The full screen, for captures as they grow and for files: what is seen of tasks, and every way down to one byte."""
