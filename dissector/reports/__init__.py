"""Answers that are made of more than one task or of none: codes, ports, comparisons."""
