"""Figures of jstrace beside its peers: ``make bench`` (see ``__main__``)."""
