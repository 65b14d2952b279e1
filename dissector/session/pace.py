"""What counts as slow.  A module of its own: who reads ahead needs no more of the session than this."""

#: An answer of the client scheduler that takes so long (ns) is worth a word: in trouble, it polls once a second.
SLOW_CALLBACK = 900_000_000
