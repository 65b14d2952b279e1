"""What counts as slow, late or over, in nanoseconds.  A module of its own: run detection, which may be in
another process, needs no more of the session than this."""

_SECOND = 1_000_000_000
#: A closed connection is final this long after its last packet: late segments, and the other connection's end.
LINGER = 1 * _SECOND
#: A task without a callback may still get one: the kernel of the remote gives up its SYNs after about 130 s.  So long
#: is also waited for a word of a task whose end seems to have been missed.
CALLBACK_LINGER = 150 * _SECOND
#: So long a callback that fits a task is held back: tasks that start together call back together.
PAIR_PATIENCE = 2 * _SECOND
#: Master and Universal Agent wait for each other so long, until the master announces another time (docs/agent.md).
AGENT_PATIENCE = 60 * _SECOND
#: So much later than announced a master's word may come without being missed.
HEARTBEAT_GRACE = 2 * _SECOND

#: An answer of the client scheduler that takes so long is worth a word: in trouble, it polls once a second.
SLOW_CALLBACK = 900_000_000
#: The coarsest time stamps of captures.
COARSE = 1 * _SECOND
