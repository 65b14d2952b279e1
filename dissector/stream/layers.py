"""What stands in front of an IP header: link layers, tags and the insides of tunnels.

A layer is a function of the captured bytes and the place where it begins; it tells what comes next, where, and the name
of the tunnel that it is, if it is one.  What comes next is an ethertype or one of the kinds below.  Layers raise
IndexError or struct.error where the packet ends inside of them; ``unwrap`` walks over them, and bounds the walk.

``tunnels`` has those in IP and UDP.

Sources: IEEE 802.1Q, 802.1ad, 802.1ah, 802.1BR, 802.1AE; IEC 62439-3 (HSR); RFC 1042 (SNAP), 1661 and 2516 (PPP,
PPPoE), 3032 (MPLS), 4448 (its control word), 5586 (its channels), 6325 (TRILL), 8300 (NSH).
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from dissector.traffic import Via

#: Kinds that are no ethertype: an IP header of either version, an Ethernet frame, LLC, PPP, and nothing known.
IP, FRAME, LLC, PPP, NOTHING = -1, -2, -3, -4, 0
IPV4, IPV6 = 0x0800, 0x86DD
#: GRE's names for what it carries.
PPP_IN_GRE, TRANSPARENT = 0x880B, 0x6558

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
LEAST_TYPE = 0x0600
_SNAP = b"\xaa\xaa\x03"
#: The organisations of SNAP whose protocols are ethertypes: none, and bridged Ethernet 2.
_ETHERTYPE_OWNERS = (b"\x00\x00\x00", b"\x00\x00\xf8")
_BRIDGED = b"\x00\x80\xc2"
_LLC_IP = b"\x06\x06\x03"


def frame(data: bytes, at: int) -> Step:
    """An Ethernet frame."""
    (kind,) = _U16(data, at + 12)
    step: Step = _new(Step, (kind if kind >= LEAST_TYPE else LLC, at + 14, None))
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
    step: Step = _new(Step, (kind if kind >= LEAST_TYPE else LLC, at + 4, None))
    return step


def vn_tag(data: bytes, at: int) -> Step:
    """Cisco's, of four bytes."""
    return _typed(data, at + 4)


def e_tag(data: bytes, at: int) -> Step:
    """802.1BR."""
    return _typed(data, at + 6)


def hsr(data: bytes, at: int) -> Step:
    """The tag of redundant networks, of four bytes."""
    return _typed(data, at + 4)


def cisco_metadata(data: bytes, at: int) -> Step:
    """The security group of Cisco's TrustSec: version, number of options, and the options."""
    return _typed(data, at + 2 + (data[at + 1] << 2))


def trill(data: bytes, at: int) -> Step:
    """The length of the options counts in words, in five bits across the first two bytes."""
    return Step(FRAME, at + 6 + ((_U16(data, at)[0] >> 6 & 0x1F) << 2))


_MACSEC_SCI, _MACSEC_HIDDEN = 0x20, 0x0C
_NSH_KINDS = {1: IPV4, 2: IPV6, 3: FRAME, 5: 0x8847}


def macsec(data: bytes, at: int) -> Step:
    """What is only signed can be read."""
    if data[at] & _MACSEC_HIDDEN:
        return Step(NOTHING, at, _MACSEC)
    return _typed(data, at + (14 if data[at] & _MACSEC_SCI else 6))


def nsh(data: bytes, at: int) -> Step:
    """The header of service chains: its length in words, what follows, and whose path it is on."""
    return Step(_NSH_KINDS.get(data[at + 3], NOTHING), at + ((data[at + 1] & 0x3F) << 2))


def _typed(data: bytes, at: int) -> Step:
    (kind,) = _U16(data, at)
    return Step(kind, at + 2) if kind >= LEAST_TYPE else Step(LLC, at + 2)


#: Channels of a label stack that carry IP.
_CHANNELS = {0x0021: IPV4, 0x0057: IPV6}


def mpls(data: bytes, at: int) -> Step:
    """Labels down to the bottom of the stack; the first half byte tells IP from a pseudowire."""
    while not data[at + 2] & 1:
        at += 4
    via, at = Via("mpls", _U32(data, at)[0] >> 12), at + 4
    version = data[at] >> 4
    if version in (4, 6):
        return Step(IP, at, via)
    if version == 1:
        return Step(_CHANNELS.get(_U16(data, at + 2)[0], NOTHING), at + 4, via)
    return Step(FRAME, at + 4 if _is_control_word(data, at) else at, via)


def _is_control_word(data: bytes, at: int) -> bool:
    """A control word begins with two zero bytes; so do some addresses, which have a usual type behind them."""
    return data[at : at + 2] == b"\0\0" and _U16(data, at + 12)[0] not in USUAL_TYPES


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


# --- what can not be read ------------------------------------------------------------------------------------------

#: The names of these tunnels.
SEALED: set[str] = set()


def sealed(name: str, begins: Callable[[bytes, int], bool] | None = None) -> Layer:
    """A tunnel that is encrypted or compressed; ``begins`` tells it from others on its port."""
    inside, other = Via(name), Step(NOTHING, 0)
    SEALED.add(name)
    return lambda data, at: Step(NOTHING, at, inside) if begins is None or begins(data, at) else other


_MACSEC = Via("MACsec")
SEALED.add("MACsec")


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
    0x88E5: macsec,
    0x8870: llc,  # jumbo frames
    0x8909: cisco_metadata,
    0x892F: hsr,
    0x22F3: trill,
    0x894F: nsh,
    _ENCRYPTED_PPP: sealed("PPP with MPPE"),
    PPP_IN_GRE: ppp,
    TRANSPARENT: frame,
}
#: What is usual in Ethernet frames: IP, ARP and tags.
USUAL_TYPES = frozenset({IPV4, IPV6, 0x0806, 0x8100, 0x88A8})
