"""Programs of the kernel's packet filter: compiled by libpcap for Ethernet (through scapy), and made to fit a socket.

What a live socket has is not what was on the wire: the kernel takes the outermost VLAN tag off and has it beside the
bytes, and a cooked socket begins behind the Ethernet header.  Source: Documentation/networking/filter.rst of Linux.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import NamedTuple

from dissector.errors import UsageError
from dissector.stream.link import ETHERNET


class Instruction(NamedTuple):
    code: int
    jt: int
    jf: int
    k: int


Program = list[Instruction]

_RETURN, _JUMP, _JUMP_IF_EQUAL, _LOAD_BYTE = 0x06, 0x05, 0x15, 0x30
#: BPF_RET with a constant: how much of a packet that passes is captured.
_SNAP_LENGTH = 1 << 18
#: BPF_LD and BPF_LDX (bits 0 to 2) of packet bytes (bits 5 to 7): at a place, at one relative to X, and BPF_MSH.
_LOADS = frozenset({(0, 0x20), (0, 0x40), (1, 0xA0)})
_TYPE_AT, _ETHERNET_HEADER, _TAG = 12, 14, 4
#: SKF_AD_OFF with what the kernel knows beside the bytes: the ethertype, and of the tag that it took off its number,
#: whether there is one, and its type.
_BESIDE = 0xFFFFF000
_PROTOCOL, _VLAN_TAG, _VLAN_PRESENT, _VLAN_TYPE = _BESIDE, _BESIDE + 44, _BESIDE + 48, _BESIDE + 60


def compiled(text: str, told: str) -> Program:
    """For packets with an Ethernet header; an error names the part ``told``.

    :raises UsageError: libpcap does not understand the filter, or there is none
    """
    from scapy.arch.common import compile_filter, free_filter
    from scapy.error import Scapy_Exception

    try:
        program = compile_filter(text, linktype=ETHERNET)
    except Scapy_Exception as error:
        raise UsageError(f"capture filter: {str(error).rpartition(' (')[2].rstrip(')')}: {told}") from None
    except (ImportError, OSError):
        raise UsageError("libpcap is needed to filter packets; as root: apt-get install libpcap0.8") from None
    try:
        return [Instruction(one.code, one.jt, one.jf, one.k) for one in program.bf_insns[: program.bf_len]]
    finally:
        free_filter(program)


def both(first: Program, second: Program) -> Program:
    """Passes what passes both."""
    end = len(first)
    joined = [
        Instruction(_JUMP, 0, 0, end - place - 1) if one.code == _RETURN and one.k else one
        for place, one in enumerate(first)
    ]
    return joined + second


def with_tags(program: Program, told: str) -> Program:
    """The same for packets whose outermost tag is beside their bytes, as if it were there.

    :raises UsageError: see ``_tagged_place``
    """
    tagged = [one._replace(k=_tagged_place(one.k, told)) if _is_load(one) else one for one in program]
    look = [
        Instruction(_LOAD_BYTE, 0, 0, _VLAN_PRESENT),
        Instruction(_JUMP_IF_EQUAL, 1, 0, 1),
        Instruction(_JUMP, 0, 0, len(tagged)),
    ]
    return look + tagged + program


def _is_load(one: Instruction) -> bool:
    return (one.code & 0x07, one.code & 0xE0) in _LOADS


def _tagged_place(at: int, told: str) -> int:
    """Where such a packet has what it had at ``at`` on the wire."""
    if at < _TYPE_AT or at >= _BESIDE:
        return at
    if at == _TYPE_AT:
        return _VLAN_TYPE
    if at == _ETHERNET_HEADER:
        return _VLAN_TAG
    if at < _ETHERNET_HEADER + 2:
        raise UsageError(f"capture filter: a tag can be asked for by vlan and its number only: {told}")
    return at - _TAG


def _cooked_place(at: int, told: str) -> int:
    """Where a cooked socket has what an Ethernet frame has at ``at``: it sees packets from behind that header on."""
    if at >= _BESIDE:
        return at
    if at == _TYPE_AT:
        return _PROTOCOL
    if at < _ETHERNET_HEADER:
        raise UsageError(f"capture filter: this interface, or any, has no Ethernet addresses to filter by: {told}")
    return at - _ETHERNET_HEADER


def cooked(program: Program, told: str) -> Program:
    """For a socket that has no Ethernet headers.

    :raises UsageError: it looks at the addresses there
    """
    return [one._replace(k=_cooked_place(one.k, told)) if _is_load(one) else one for one in program]


def attach(own: socket.socket, program: Iterable[Instruction]) -> None:
    """The socket gets from now on what passes.  What passes is captured whole: scapy's length is too short for the
    segments of loopback and of network cards."""
    from ctypes import POINTER, cast

    from scapy.arch.linux import SO_ATTACH_FILTER
    from scapy.libs.structures import bpf_insn, sock_fprog

    whole = [one._replace(k=_SNAP_LENGTH) if one.code == _RETURN and one.k else one for one in program]
    array = (bpf_insn * len(whole))(*whole)
    own.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, sock_fprog(len(whole), cast(array, POINTER(bpf_insn))))
