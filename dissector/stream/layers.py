"""What stands in front of an IP header: link layers, tags and the insides of tunnels.

A layer is a function of the captured bytes and the place where it begins; it tells what comes next, where, and the name
of the tunnel that it is, if it is one.  What comes next is an ethertype or one of the kinds below.  Layers raise
IndexError or struct.error where the packet ends inside of them; ``unwrap`` walks over them, and bounds the walk.

Sources: IEEE 802.1Q, 802.1ad, 802.1ah, 802.1BR; RFC 1042 (SNAP), 1661 and 2516 (PPP, PPPoE), 2784 and 2890 (GRE), 2637
(GRE of PPTP), 3032 (MPLS), 4448 (its control word), 7348 (VXLAN), 8926 (Geneve), 3GPP TS 29.281 (GTP-U);
draft-foschiano-erspan-03; https://www.tcpdump.org/linktypes.html.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from struct import Struct
from typing import NamedTuple

from dissector.traffic import Via

#: Kinds that are no ethertype: an IP header of either version, an Ethernet frame, LLC, PPP, and nothing known.
IP, FRAME, LLC, PPP, NOTHING = -1, -2, -3, -4, 0
IPV4, IPV6 = 0x0800, 0x86DD

_U16, _U32 = Struct("!H").unpack_from, Struct("!I").unpack_from


class Step(NamedTuple):
    """What comes next and where it begins."""

    kind: int
    at: int
    via: Via | None = None


Layer = Callable[[bytes, int], Step]
_new = tuple.__new__  # three times as fast as Step(...), for what is in nearly every packet of a capture


#: Layers none of whose bytes decides anything.
FIXED: set[Layer] = set()


def fixed(kind: int, size: int, via: Via | None = None) -> Layer:
    """A header of ``size`` bytes in front of what is always of one kind."""

    def layer(_data: bytes, at: int) -> Step:
        return Step(kind, at + size, via)

    FIXED.add(layer)
    return layer


# --- Ethernet and what is in its frames ----------------------------------------------------------------------------

#: Below it the type field of an Ethernet frame is a length.
_LEAST_TYPE = 0x0600
_SNAP = b"\xaa\xaa\x03"
#: The organisations of SNAP whose protocols are ethertypes: none, and bridged Ethernet 2.
_ETHERTYPE_OWNERS = (b"\x00\x00\x00", b"\x00\x00\xf8")
_BRIDGED = b"\x00\x80\xc2"
_LLC_IP = b"\x06\x06\x03"


def frame(data: bytes, at: int) -> Step:
    """An Ethernet frame."""
    (kind,) = _U16(data, at + 12)
    step: Step = _new(Step, (kind if kind >= _LEAST_TYPE else LLC, at + 14, None))
    return step


def llc(data: bytes, at: int) -> Step:
    """802.2 LLC, with SNAP or of IP itself."""
    head = data[at : at + 3]
    if head == _LLC_IP:
        return Step(IP, at + 3)
    if head != _SNAP:
        return Step(NOTHING, at)
    owner, (kind,) = data[at + 3 : at + 6], _U16(data, at + 6)
    if owner == _BRIDGED and kind in (1, 7):  # with and without frame check sequence
        return Step(FRAME, at + 10)
    return Step(kind if owner in _ETHERTYPE_OWNERS else NOTHING, at + 8)


def tag(data: bytes, at: int) -> Step:
    """802.1Q, 802.1ad: two bytes in front of the type."""
    (kind,) = _U16(data, at + 2)
    step: Step = _new(Step, (kind if kind >= _LEAST_TYPE else LLC, at + 4, None))
    return step


def vn_tag(data: bytes, at: int) -> Step:
    """Cisco's, of four bytes."""
    return _typed(data, at + 4)


def e_tag(data: bytes, at: int) -> Step:
    """802.1BR."""
    return _typed(data, at + 6)


def _typed(data: bytes, at: int) -> Step:
    (kind,) = _U16(data, at)
    return Step(kind, at + 2) if kind >= _LEAST_TYPE else Step(LLC, at + 2)


def mpls(data: bytes, at: int) -> Step:
    """Labels down to the bottom of the stack; the first half byte tells IP from a pseudowire."""
    while not data[at + 2] & 1:
        at += 4
    via, at = Via("mpls", _U32(data, at)[0] >> 12), at + 4
    version = data[at] >> 4
    if version in (4, 6):
        return Step(IP, at, via)
    # A control word begins with 0; 1 is a channel of the pseudowire itself.
    return Step(NOTHING if version == 1 else FRAME, at if version else at + 4, via)


# --- PPP and HDLC --------------------------------------------------------------------------------------------------

#: A kind of its own: the number of PPP's compressed and encrypted datagrams is no ethertype.
_ENCRYPTED_PPP = -5
_PPP_KINDS = {0x0021: IPV4, 0x0057: IPV6, 0x00FD: _ENCRYPTED_PPP, 0x0281: 0x8847, 0x0283: 0x8848}
_CISCO_HDLC = (0x0F, 0x8F)


def ppp(data: bytes, at: int) -> Step:
    """With or without address and control, and with a protocol of one byte or two."""
    if data[at] == 0xFF and data[at + 1] == 0x03:
        at += 2
    if data[at] & 1:
        return Step(_PPP_KINDS.get(data[at], NOTHING), at + 1)
    return Step(_PPP_KINDS.get(_U16(data, at)[0], NOTHING), at + 2)


def pppoe(data: bytes, at: int) -> Step:
    """A session of PPP over Ethernet."""
    if data[at : at + 2] != b"\x11\x00":
        return Step(NOTHING, at)
    return Step(PPP, at + 6, Via("pppoe", _U16(data, at + 2)[0]))


def cisco_hdlc(data: bytes, at: int) -> Step:
    return Step(_U16(data, at + 2)[0], at + 4)


def hdlc(data: bytes, at: int) -> Step:
    """PPP in frames like HDLC's, or Cisco's own."""
    return cisco_hdlc(data, at) if data[at] in _CISCO_HDLC else ppp(data, at)


# --- tunnels -------------------------------------------------------------------------------------------------------

_CHECKSUM, _ROUTING, _KEY, _SEQUENCE = 0x8000, 0x4000, 0x2000, 0x1000
_ACKNOWLEDGES, _VERSION = 0x0080, 0x0007
_ERSPAN, _ERSPAN_3, _PPP_IN_GRE, _WCCP = 0x88BE, 0x22EB, 0x880B, 0x883E
_TRANSPARENT = 0x6558


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
    if version == 1 and kind == _PPP_IN_GRE:  # PPTP: the lower half of the key is the call
        at += 4 if flags & _ACKNOWLEDGES else 0
        return Step(PPP, at, Via("pptp", None if key is None else key & 0xFFFF))
    if version or flags & _ROUTING:
        return Step(NOTHING, at)
    if kind == _ERSPAN:
        return _erspan(data, at) if has_sequence else Step(FRAME, at, Via("erspan"))
    if kind == _ERSPAN_3:
        return _erspan_3(data, at)
    if kind == _WCCP:
        return Step(IP, at if data[at] >> 4 == 4 else at + 4, Via("wccp"))
    return Step(FRAME if kind == _TRANSPARENT else kind, at, Via("gre", key))


def _erspan(data: bytes, at: int) -> Step:
    """Type II: the session is in the lower ten bits of the second half word."""
    return Step(FRAME, at + 8, Via("erspan", _U16(data, at + 2)[0] & 0x3FF))


def _erspan_3(data: bytes, at: int) -> Step:
    """Type III: the frame's type in five bits, and eight bytes more where the last bit is set."""
    via, facts = Via("erspan", _U16(data, at + 2)[0] & 0x3FF), _U16(data, at + 10)[0]
    kind = {0: FRAME, 2: IP}.get(facts >> 10 & 0x1F, NOTHING)
    return Step(kind, at + (20 if facts & 1 else 12), via)


def vxlan(data: bytes, at: int) -> Step:
    """The network is valid if its flag says so; some writers set flags of extensions beside it."""
    if not data[at] & 0x08:
        return Step(NOTHING, at)
    return Step(FRAME, at + 8, Via("vxlan", _U32(data, at + 4)[0] >> 8))


_GPE_KINDS = {1: IPV4, 2: IPV6, 3: FRAME, 5: 0x8847}


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
    return Step(FRAME if kind == _TRANSPARENT else kind, at + 8 + ((data[at] & 0x3F) << 2), via)


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
    return Step(IP, behind, via)


def teredo(data: bytes, at: int) -> Step:
    """IPv6 in UDP (RFC 4380), without its optional headers."""
    return Step(IPV6 if data[at] >> 4 == 6 else NOTHING, at, Via("teredo"))


# --- tunnels that can not be read ----------------------------------------------------------------------------------


#: The names of these tunnels.
SEALED: set[str] = set()


def _sealed(name: str, begins: Callable[[bytes, int], bool] | None = None) -> Layer:
    """A tunnel that is encrypted or compressed; ``begins`` tells it from others on its port."""
    inside, other = Via(name), Step(NOTHING, 0)
    SEALED.add(name)
    return lambda data, at: Step(NOTHING, at, inside) if begins is None or begins(data, at) else other


def _is_esp(data: bytes, at: int) -> bool:
    """ESP in UDP (RFC 3948): a single byte keeps the way open, four zeros stand before IKE."""
    return len(data) >= at + 8 and data[at : at + 4] != bytes(4)


def _is_wireguard(data: bytes, at: int) -> bool:
    return 1 <= data[at] <= 4 and data[at + 1 : at + 4] == bytes(3) and len(data) >= at + 16


def _is_openvpn(data: bytes, at: int) -> bool:
    """The operation is in the upper five bits: hard resets, soft ones, control, acknowledgements and data."""
    return 1 <= data[at] >> 3 <= 11 and len(data) >= at + 10


def _is_l2tp(data: bytes, at: int) -> bool:
    """Versions 2 and 3 (RFC 2661, 3931): data, not the control messages that keep the tunnel."""
    return not data[at] & 0x80 and data[at + 1] & 0x0F in (2, 3)


#: What ethertypes and the kinds above stand for; IP headers themselves are where a walk ends.
LAYERS: dict[int, Layer] = {
    FRAME: frame,
    LLC: llc,
    PPP: ppp,
    0x8100: tag,
    0x88A8: tag,
    0x9100: tag,
    0x9200: tag,
    0x8926: vn_tag,
    0x893F: e_tag,
    0x88E7: fixed(FRAME, 4),  # 802.1ah
    0x8903: fixed(FRAME, 2),  # Cisco FabricPath
    0x8847: mpls,
    0x8848: mpls,
    0x8864: pppoe,
    0x88E5: _sealed("MACsec"),
    _ENCRYPTED_PPP: _sealed("PPP with MPPE"),
    _PPP_IN_GRE: ppp,
    _TRANSPARENT: frame,
}
#: Tunnels by the protocol number of the IP header in front of them, first those that can not be read.
SEALED_PROTOCOLS: dict[int, Layer] = {
    50: _sealed("ESP (IPsec)"),
    108: _sealed("IPComp"),
    115: _sealed("L2TP"),
}
BY_PROTOCOL: dict[int, Layer] = {
    4: fixed(IPV4, 0, Via("ipip")),
    41: fixed(IPV6, 0, Via("6in4")),
    47: gre,
    97: fixed(FRAME, 2, Via("etherip")),  # RFC 3378
    137: mpls,
    **SEALED_PROTOCOLS,
}
#: Tunnels in UDP by their port, first those that can not be read.
SEALED_PORTS: dict[int, Layer] = {
    1194: _sealed("OpenVPN", _is_openvpn),
    1701: _sealed("L2TP", _is_l2tp),
    4500: _sealed("ESP (IPsec)", _is_esp),
    51820: _sealed("WireGuard", _is_wireguard),
}
BY_PORT: dict[int, Layer] = {
    4789: vxlan,
    8472: vxlan,
    4790: vxlan_gpe,
    6081: geneve,
    2152: gtp,
    3544: teredo,
    6635: mpls,
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
