"""What people read of jstrace, made from what it is: the man page and the documentation site.

``python -m handbook man`` writes ``man/jstrace.1``, ``python -m handbook site`` builds the site (``make docs``).
"""
