"""The ports that installations use: what is looked at, and let through, where nobody says otherwise.

Python's options, the generated plugin's preferences and the texts of both come from here.
"""

from __future__ import annotations

#: Where remote schedulers take commands.
COMMAND_PORTS = (4444, 4445, 4455)
#: Where the vendor's start script lets a Universal Agent listen.
AGENT_PORT = 4445
#: Where clients wait for their task processes, lowest and highest; the engine takes them from the highest down.
CALLBACK_PORTS = (50_000, 59_999)

COMMANDS_TEXT = ",".join(map(str, COMMAND_PORTS))
CALLBACKS_TEXT = f"{CALLBACK_PORTS[0]}-{CALLBACK_PORTS[1]}"
#: The same in the words of tcpdump.
CAPTURE_FILTER = f"tcp port {' or '.join(map(str, COMMAND_PORTS))} or tcp portrange {CALLBACKS_TEXT}"
