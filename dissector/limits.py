"""Every cap on what the wire may make us do, in one place.

A length, a count or a depth that comes from a packet is compared with one of these before it is used; memory thereby
depends on what is open at the moment and never on what a peer claims.
"""

from __future__ import annotations

#: Longest message that the engine accepts (docs/protocol.md#framing); a larger length header is
#: ``impossible_length``.
MAX_MESSAGE = 1000 * 1024 * 1024
#: Longest message that is kept in memory and decoded, here and in the Wireshark plugin; longer ones are counted,
#: skipped and reported.  A job's whole script goes in one message.
MAX_DECODED_MESSAGE = 64 * 1024 * 1024
#: Nesting of variants, arrays and reference properties inside one message.
MAX_VARIANT_DEPTH = 32
#: Arguments of one invoke or call (the engine's reader refuses more).
MAX_ARGUMENTS = 100
#: Requests open at the same time on one callback connection.
MAX_DIALOG_DEPTH = 64
#: Longest record of a capture file; a longer one means that the file is damaged.
MAX_CAPTURED = 256 * 1024
#: Longest block of a pcapng file that is no packet (name resolution, secrets, statistics).
MAX_PCAPNG_BLOCK = 16 * 1024 * 1024
#: Different interfaces of one section of a pcapng file.
MAX_INTERFACES = 65_536
#: Bytes that each byte of a compressed file may unpack to (gzip reaches 1,032); so many in all are never too many.
MAX_RATIO = 1_100
MAX_UNPACKED = 8 * 1024 * 1024
#: Longest XML document of the command connection; the rest of a longer one is skipped and reported.
MAX_DOCUMENT = 16 * 1024 * 1024
#: Longest head (start line and headers) of an HTTP message, and longest line of a chunked body.
MAX_HTTP_HEAD = 64 * 1024
#: What a compressed body may unpack to: so many bytes, or so many times its own.  Messages wait in memory for their
#: task's number, so what they hold is bounded by what the capture holds.
MAX_INFLATED, MAX_INFLATION = 64 * 1024, 64
#: Longest JSON text of a body, which is as much as an agent takes, and its nesting (genuine bodies have five levels).
MAX_JSON = 8 * 1024 * 1024
MAX_JSON_DEPTH = 64
#: Connections whose TLS secrets are remembered; of more the oldest are forgotten.
MAX_TLS_SECRETS = 1_000_000
#: Longest handshake message of TLS that is read, and bytes of one handshake that are kept to derive its keys.
MAX_TLS_HANDSHAKE = 256 * 1024
#: Encrypted bytes that wait for their secrets, of one connection and of all.
MAX_TLS_HELD = 1024 * 1024
MAX_TLS_HELD_IN_ALL = 64 * 1024 * 1024
#: Connections with TLS to ports that nobody named that are looked into, for as long as there is no task.
MAX_TLS_LOOKS = 256
#: Packets listed for one document; of a longer one the first ones and the last one are named.
MAX_PACKETS_LISTED = 65_536
#: Element nesting inside one XML document.
MAX_XML_DEPTH = 256
#: Bytes of one direction waiting behind a hole; beyond it the hole is reported as a gap.
MAX_REORDER_BYTES = 4 * 1024 * 1024
#: Pieces gone over while one hole is waited for: more than any retransmission of what fits behind it.
MAX_WALKED = 65_536
#: A clock that goes back less than this (nanoseconds) is the usual jitter between the queues of a network card; so long
#: a segment waits for those that it follows.
CLOCK_JITTER = 10_000_000
#: Layers of link headers, tags and tunnels in one packet that are looked through.
MAX_LAYERS = 16
#: IP datagrams of which some fragments are missing, their bytes, and how long the rest is waited for.
MAX_FRAGMENTED = 1_024
MAX_FRAGMENT_BYTES = 8 * 1024 * 1024
FRAGMENT_SECONDS = 30
#: Connections followed at the same time; the one idle longest is given up first.
MAX_CONNECTIONS = 65_536
#: Half-open connections (a SYN and no data yet) remembered at the same time.
MAX_HALF_OPEN = 16_384
#: Closed connections remembered at the same time, for packets that come late.
MAX_CLOSED = 4_096
#: Seconds without a packet after which a connection that never said anything is forgotten.
HALF_OPEN_SECONDS = 300
#: Seconds without a packet after which a connection without an open task is forgotten.
IDLE_SECONDS = 3_600
#: Tasks under way at the same time; the one idle longest is given up first, and said to be.  No power of two: a Lua
#: table that is full to the last place is made anew with each entry that takes the place of another.
MAX_OPEN_TASKS = 12_000
#: Connections to the port of one start that are told one by one; later ones are counted only.
MAX_ATTEMPTS = 64
#: Commands of one connection that wait for their answers; later ones are told without theirs.
MAX_PENDING_COMMANDS = 1_000
#: Unanswered or refused command connections that become a task each; later ones (a scan, a flood) are only counted.
MAX_UNREACHABLE = 1_000
#: Packets remembered of a capture to find them again in another one; of more those with the same bits.
MAX_SIGHTINGS = 16_384
#: Bytes of each of several captures that are looked at to tell which of them see the same connections.
MAX_LOOK = 4 * 1024 * 1024
#: The same where so much tells nothing: one may have begun long before another.
MAX_FAR_LOOK = 32 * 1024 * 1024
#: Tasks of one place of capture that wait for what another place has of them; more are told without.
MAX_WAITING = 20_000
#: What their messages may need of memory; more are not told.
MAX_WAITING_BYTES = 256 * 1024 * 1024
#: Bytes looked at to tell what a connection carries.
MAX_SNIFF = 4_096
#: Objects, learnt dispids and names remembered for one callback connection.
MAX_OBJECTS = 65_536
#: Log lines kept for one task; later ones are counted only.
MAX_LOG_LINES = 200_000
#: Characters of them.
MAX_LOG_BYTES = 64 * 1024 * 1024
#: Problems kept for one task or connection; later ones are counted only.
MAX_PROBLEMS = 200
#: Packet numbers listed as evidence for one problem.
MAX_EVIDENCE = 32
#: Tasks, starts with one port and connections between two hosts that are told from each other where they are alike.
MAX_ALIKE = 64
#: Payload bytes that ``redact`` keeps in memory.
MAX_REDACTED_BYTES = 1024 * 1024 * 1024
#: Product of the numbers of messages of two tasks whose middle parts ``diff`` compares.
MAX_COMPARED = 100_000_000
