"""Thresholds: what counts as slow, late, over, stuck or large.  Times in nanoseconds, sizes in bytes.

The one place for them: the rules name them, and so does the Wireshark plugin, which gets them from here.  (What the
wire may make us do is capped in ``dissector.limits``.)  A module of its own: run detection, which may be in another
process, needs no more of the session than this.
"""

from __future__ import annotations

SECOND = 1_000_000_000

# --- when something is over ----------------------------------------------------------------------------------------

#: A closed connection is final this long after its last packet: late segments, and the other connection's end.
LINGER = 1 * SECOND
#: A task without a callback may still get one: the kernel of the remote gives up its SYNs after about 130 s.  So long
#: is also waited for a word of a task whose end seems to have been missed.
CALLBACK_LINGER = 150 * SECOND
#: So long a callback that fits a task is held back: tasks that start together call back together.
PAIR_PATIENCE = 2 * SECOND
#: Master and Universal Agent wait for each other so long, until the master announces another time (docs/agent.md).
AGENT_PATIENCE = 60 * SECOND
#: An agent's clock may differ so much from the capture's without a word.
CLOCK_SKEW = 60 * SECOND
#: So much later than announced a master's word may come without being missed.
HEARTBEAT_GRACE = 2 * SECOND

# --- who gives up when ---------------------------------------------------------------------------------------------

#: The client gives up after 60 s without a callback; recordings of the engine show 59 s to 69 s.
GIVE_UP_FROM = 55 * SECOND
GIVE_UP_TO = 75 * SECOND
#: Of a task that runs: a callback takes milliseconds; after the second time the client has given up.
CALLBACK_AFTER = (5 * SECOND, 60 * SECOND)
#: An unanswered SYN may still be answered for so long; Linux repeats it after 1, 2 and 3 s, Windows after 3 s.
SYN_PATIENCE = 3 * SECOND
#: A callback connection that shows no end this long after the remote reported the process gone lost its end on the way.
END_PATIENCE = 2 * SECOND
#: A process is gone so long after the client asked to kill it, at the latest.
KILL_PATIENCE = 10 * SECOND
#: Data that was sent again so often, for so long, and behind which nothing new came, got stuck.
STUCK_RETRANSMISSIONS = 3
STUCK_PATIENCE = 2 * SECOND
#: A hole that TCP has not filled after so long will not be filled.
HOLE_PATIENCE = 10 * SECOND

# --- what slow is --------------------------------------------------------------------------------------------------

#: An answer of the client scheduler that takes so long is worth a word: in trouble, it polls once a second.
SLOW_CALLBACK = 900_000_000
#: So many callbacks of about one second each are no accident.
MANY_POLLS = 3
POLLING = SECOND + SECOND // 5
#: The coarsest time stamps of captures.
COARSE = 1 * SECOND
#: A callback that takes longer than this to come is worth a word.
SLOW_START = 5 * SECOND
#: A call without an answer for so long is worth a word while the task runs.
OPEN_CALL = 60 * SECOND
#: From here on it is worth a word that a part of a task's time took more than half of it.
SLOW_NETWORK, SLOW_CLIENT, SLOW_JOB = 5 * SECOND, 5 * SECOND, 600 * SECOND

# --- who ended a connection ----------------------------------------------------------------------------------------

#: A remote that does not know the client closes the connection as soon as it accepts it.
AT_ONCE = 2 * SECOND
#: Who answered so lately is not down.
LATELY = 60 * SECOND
#: Silence before the end of a connection that makes an idle timeout likely, with and without another proof.
IDLE = 5 * SECOND
LONG_IDLE = 20 * SECOND
#: A scheduler that ends closes all its connections within this time.
SAME_MOMENT = 5 * SECOND
#: A scheduler that closes a connection in order so long after it "reset" the other one has not ended with that reset.
OUTLIVED = SECOND
#: A packet so shortly before a reset is what the reset answers.
LAST_TRY = SECOND
#: The command connection counts as lost first when the task went on at least this long without it.
LOST_FIRST = SECOND // 2
#: A reset answers a packet within this time; that of an end which sent it unasked may stand near one by chance.
ANSWERED = 500_000_000
#: IP ids of packets that follow each other in one connection differ by so much at most: a few were not captured.
IP_ID_STEP = 256

# --- what the network did ------------------------------------------------------------------------------------------

#: Payload from which on a segment may be too large for a link on the path; the smallest IPv4 MTU in use is 576.
LARGE = 536
MANY_RETRANSMISSIONS = 3
#: Ports in the engine's usual range that it only gives after a thousand others: from the first to before the second.
LOW_PORTS_FROM, LOW_PORTS_TO = 50_000, 59_000
#: A shell adds the signal that ended a command to this.
SIGNAL_CODES = 128
