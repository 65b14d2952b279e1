"""Small mistakes put into the lower floors: which of them does no test notice?  ``make mutate`` (see ``__main__``)."""

FLOORS = ("session", "stream", "wire")
