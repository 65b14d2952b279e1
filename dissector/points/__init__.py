"""Captures of the same traffic at several places: which is where, how their clocks differ, what happened between."""
