"""Tunnels: what IP and UDP carry that has an IP header again (see ``layers``).

Sources: RFC 1701, 2784 and 2890 (GRE), 2637 (GRE of PPTP), 2661 and 3931 (L2TP), 3378 (EtherIP), 4380 (Teredo), 7348
(VXLAN), 8926 (Geneve), 9300 (LISP), 3GPP TS 29.281 (GTP-U); draft-foschiano-erspan-03; draft-ietf-nvo3-vxlan-gpe.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

from dissector.stream import layers
from dissector.stream.layers import (
    FRAME,
    IP,
    IPV4,
    IPV6,
    NOTHING,
    PPP,
    PPP_IN_GRE,
    TRANSPARENT,
    Layer,
    Step,
    fixed,
    sealed,
)
from dissector.traffic import Via

_U16, _U32 = Struct("!H").unpack_from, Struct("!I").unpack_from
_L2TP = Via("L2TP")

_CHECKSUM, _ROUTING, _KEY, _SEQUENCE = 0x8000, 0x4000, 0x2000, 0x1000
_ACKNOWLEDGES, _VERSION = 0x0080, 0x0007
_ERSPAN, _ERSPAN_3, _WCCP = 0x88BE, 0x22EB, 0x883E


def gre(data: bytes, at: int) -> Step:
    flags, kind = _U16(data, at)[0], _U16(data, at + 2)[0]
    key, has_sequence = None, bool(flags & _SEQUENCE)
    at += 4
    if flags & (_CHECKSUM | _ROUTING):
        at += 4
    if flags & _KEY:
        key, at = _U32(data, at)[0], at + 4
    if has_sequence:
        at += 4
    version = flags & _VERSION
    if version == 1 and kind == PPP_IN_GRE:  # PPTP: the lower half of the key is the call
        at += 4 if flags & _ACKNOWLEDGES else 0
        return Step(PPP, at, Via("pptp", None if key is None else key & 0xFFFF))
    if version:
        return Step(NOTHING, at)
    if flags & _ROUTING:
        at = _behind_routes(data, at)
    if kind == _ERSPAN_3 or (kind == _ERSPAN and has_sequence):
        return (_erspan_3 if data[at] >> 4 == 2 else _erspan)(data, at)
    if kind == _ERSPAN:
        return Step(FRAME, at, Via("erspan"))
    if kind == _WCCP:
        return Step(IP, at if data[at] >> 4 == 4 else at + 4, Via("wccp"))
    return Step(FRAME if kind == TRANSPARENT else kind, at, Via("gre", key))


def _behind_routes(data: bytes, at: int) -> int:
    """Source routes of GRE (RFC 1701): each with its length, the last one without."""
    while data[at + 3]:
        at += 4 + data[at + 3]
    return at + 4


def _erspan(data: bytes, at: int) -> Step:
    """Type II: the session is in the lower ten bits of the second half word."""
    return Step(FRAME, at + 8, Via("erspan", _U16(data, at + 2)[0] & 0x3FF))


def _erspan_3(data: bytes, at: int) -> Step:
    """Type III: the frame's type in five bits, and eight bytes more where the last bit is set."""
    via, facts = Via("erspan", _U16(data, at + 2)[0] & 0x3FF), _U16(data, at + 10)[0]
    kind = {0: FRAME, 2: IP}.get(facts >> 10 & 0x1F, NOTHING)
    return Step(kind, at + (20 if facts & 1 else 12), via)


def vxlan(data: bytes, at: int) -> Step:
    """Whatever the flags: they tell whether the network is valid, and of extensions."""
    return Step(FRAME, at + 8, Via("vxlan", _U32(data, at + 4)[0] >> 8))


_GPE_KINDS = {1: IPV4, 2: IPV6, 3: FRAME, 4: 0x894F, 5: 0x8847}


def vxlan_gpe(data: bytes, at: int) -> Step:
    """VXLAN that names what it carries."""
    if not data[at] & 0x08:
        return Step(NOTHING, at)
    kind = _GPE_KINDS.get(data[at + 3], NOTHING) if data[at] & 0x04 else FRAME
    return Step(kind, at + 8, Via("vxlan", _U32(data, at + 4)[0] >> 8))


def geneve(data: bytes, at: int) -> Step:
    kind = _U16(data, at + 2)[0]
    if data[at] & 0xC0:
        return Step(NOTHING, at)
    via = Via("geneve", _U32(data, at + 4)[0] >> 8)
    return Step(FRAME if kind == TRANSPARENT else kind, at + 8 + ((data[at] & 0x3F) << 2), via)


_GTP_OPTIONS, _GTP_EXTENDED, _GTP_USER = 0x07, 0x04, 0xFF


def gtp(data: bytes, at: int) -> Step:
    """GTP-U: a user's packet behind options and extension headers."""
    flags = data[at]
    if flags & 0xF0 != 0x30 or data[at + 1] != _GTP_USER:
        return Step(NOTHING, at)
    via, behind = Via("gtp", _U32(data, at + 4)[0]), at + 8
    if flags & _GTP_OPTIONS:
        following, behind = data[at + 11] if flags & _GTP_EXTENDED else 0, behind + 4
        while following:
            size = data[behind] << 2
            if not size:
                return Step(NOTHING, at)
            following, behind = data[behind + size - 1], behind + size
    return Step(IP if _is_ip(data, behind, at + 8 + _U16(data, at + 2)[0]) else FRAME, behind, via)


def _is_ip(data: bytes, at: int, end: int) -> bool:
    """Told from a frame, whose first address may begin with 4 or 6 too."""
    version = data[at] >> 4
    if version not in (4, 6):
        return False
    size = _U16(data, at + 2)[0] if version == 4 else 40 + _U16(data, at + 4)[0]
    return at + size == end or _U16(data, at + 12)[0] not in layers.USUAL_TYPES


_LISP_INSTANCE = 0x08


def lisp(data: bytes, at: int) -> Step:
    """IP behind eight bytes (RFC 9300), in which a flag says that an instance is named."""
    number = _U32(data, at + 4)[0] >> 8 if data[at] & _LISP_INSTANCE else None
    return Step(IP, at + 8, Via("lisp", number))


_L2TP_CONTROL, _L2TP_LENGTH, _L2TP_SEQUENCE, _L2TP_OFFSET = 0x8000, 0x4000, 0x0800, 0x0200
_L2TP_2, _L2TP_3 = 2, 3


def l2tp(data: bytes, at: int) -> Step:
    """PPP in UDP (RFC 2661).  What version 3 carries is agreed upon elsewhere."""
    (flags,) = _U16(data, at)
    version = flags & 0x0F
    if flags & _L2TP_CONTROL or version not in (_L2TP_2, _L2TP_3):
        return Step(NOTHING, at)
    if version == _L2TP_3:
        return Step(NOTHING, at, _L2TP)
    at += 4 if flags & _L2TP_LENGTH else 2
    via, at = Via("l2tp", _U16(data, at + 2)[0]), at + (8 if flags & _L2TP_SEQUENCE else 4)
    return Step(PPP, at + 2 + _U16(data, at)[0] if flags & _L2TP_OFFSET else at, via)


def teredo(data: bytes, at: int) -> Step:
    """IPv6 in UDP (RFC 4380), behind headers that say who asks and where from."""
    if data[at : at + 2] == b"\0\x01":
        at += 13 + data[at + 2] + data[at + 3]
    if data[at : at + 2] == b"\0\0":
        at += 8
    return Step(IPV6 if data[at] >> 4 == 6 else NOTHING, at, Via("teredo"))


# --- tunnels that can not be read ----------------------------------------------------------------------------------


def _is_esp(data: bytes, at: int) -> bool:
    """ESP in UDP (RFC 3948): a single byte keeps the way open, four zeros stand before IKE."""
    return len(data) >= at + 8 and data[at : at + 4] != bytes(4)


def _is_wireguard(data: bytes, at: int) -> bool:
    return 1 <= data[at] <= 4 and data[at + 1 : at + 4] == bytes(3) and len(data) >= at + 16


def _is_openvpn(data: bytes, at: int) -> bool:
    """The operation is in the upper five bits: hard resets, soft ones, control, acknowledgements and data."""
    return 1 <= data[at] >> 3 <= 11 and len(data) >= at + 10


#: Tunnels by the protocol number of the IP header in front of them, first those that can not be read.
SEALED_PROTOCOLS: dict[int, Layer] = {
    50: sealed("ESP (IPsec)"),
    108: sealed("IPComp"),
    115: sealed(_L2TP.kind),
}
BY_PROTOCOL: dict[int, Layer] = {
    4: fixed(IPV4, 0, Via("ipip")),
    41: fixed(IPV6, 0, Via("6in4")),
    47: gre,
    97: fixed(FRAME, 2, Via("etherip")),  # RFC 3378
    137: layers.mpls,
    **SEALED_PROTOCOLS,
}
#: Tunnels in UDP by their port, first those that can not be read.
SEALED_PORTS: dict[int, Layer] = {
    1194: sealed("OpenVPN", _is_openvpn),
    4500: sealed("ESP (IPsec)", _is_esp),
    51820: sealed("WireGuard", _is_wireguard),
}
BY_PORT: dict[int, Layer] = {
    4789: vxlan,
    8472: vxlan,
    4790: vxlan_gpe,
    6081: geneve,
    1701: l2tp,
    2152: gtp,
    3544: teredo,
    4341: lisp,
    6635: layers.mpls,
    **SEALED_PORTS,
}
_KNOWN_PORTS = dict(BY_PORT)
#: The same ports as packets have them.
TUNNEL_PORTS: set[bytes] = {port.to_bytes(2, "big") for port in BY_PORT}


def expect_vxlan(ports: Iterable[int]) -> None:
    """From now on UDP on these ports is VXLAN too, whatever else is usual there."""
    BY_PORT.clear()
    BY_PORT.update(_KNOWN_PORTS)
    BY_PORT.update(dict.fromkeys(ports, vxlan))
    TUNNEL_PORTS.clear()
    TUNNEL_PORTS.update(port.to_bytes(2, "big") for port in BY_PORT)
