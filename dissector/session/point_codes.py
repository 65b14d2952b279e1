"""Codes of what only captures of two places prove together (rows: see ``points.rules``)."""

from __future__ import annotations

from dissector.model import Severity
from dissector.session.capture_codes import Code

POINT_CODES: dict[str, Code] = {
    "lost_between_points": Code(
        Severity.ERROR,
        "Packets left one place of capture and never came to the other.",
        "a device between the two places drops them, or the network loses them",
        "look at the firewalls, routes and links between the two places of capture",
    ),
    "dropped_at_host": Code(
        Severity.ERROR,
        "Packets came to the place of capture nearest to a host, and it does not answer.",
        "a packet filter of the host drops them, nobody listens, or the host is down",
        "look at that host: its own packet filter, its listening ports, whether it runs",
    ),
    "answered_by_device": Code(
        Severity.ERROR,
        "An answer came that the other end never sent.",
        "a device between the two places of capture answers in its place: a firewall, an address translation, a proxy",
        "look at the devices between the two places of capture",
    ),
    "state_lost_in_device": Code(
        Severity.ERROR,
        "A connection that both ends hold was forgotten by a device between them.",
        "a firewall or translation between the two places of capture forgot the connection after a silence",
        "raise the idle timeout of that device above the longest silence of a job, "
        "or let the job write a line now and then; releases 1.9.4 and later can send keep-alives",
    ),
    "rewritten_by_device": Code(
        Severity.INFO,
        "Addresses, ports or options differ between the two places of capture.",
        "a device between them rewrites packets: an address translation, a proxy, an MSS clamp",
        "nothing to do where the task runs; a firewall must let through what is seen at its own place",
    ),
    "delayed_between_points": Code(
        Severity.INFO,
        "The network between the two places of capture delayed packets.",
        "a long or overloaded path: neither end was slow",
        "look at the links between the two places of capture",
    ),
    "repeated_between_points": Code(
        Severity.INFO,
        "Packets came to one place of capture more often than they passed the other.",
        "several paths, or a device that repeats packets",
        "nothing to do unless it happens often; TCP puts it right",
    ),
    "reordered_between_points": Code(
        Severity.INFO,
        "Packets came to one place of capture behind others that had passed the other place later.",
        "several paths of different length between the two places, or a device that hands on packets in parallel",
        "nothing to do unless it happens often; TCP puts it right, but takes much of it for loss",
    ),
    "lost_by_capture": Code(
        Severity.INFO,
        "A capture lacks packets that passed its place.",
        "the capture lost packets there: the other place has them, and they were acknowledged",
        "capture with a larger buffer (tcpdump -B) or a filter; the other capture fills the hole",
    ),
    "same_packets": Code(
        Severity.INFO,
        "Captures have the same packets with the same headers: they are of one place.",
        "one capture twice, files that overlap, or two captures of one interface",
        "nothing to do: each packet counts once",
    ),
    "nothing_in_common": Code(
        Severity.INFO,
        "Captures of different hosts have no packet in common.",
        "they have nothing to do with each other, or are of different times",
        "nothing to do: they are read in the order of time; if they are of two places on one path, name these: "
        "--point NAME=FILE",
    ),
    "clock_unknown": Code(
        Severity.WARNING,
        "How far the clocks of two places of capture are apart is not known.",
        "packets of one direction only, or none, are in both captures",
        "name the difference with --clock-offset; what was lost where does not depend on it",
    ),
}
