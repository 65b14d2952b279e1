"""Fuzzing of everything that reads bytes of others: ``make fuzz`` (see ``__main__``)."""
