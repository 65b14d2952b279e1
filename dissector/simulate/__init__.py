"""Peers that speak the protocol over real sockets: a client scheduler, a remote scheduler, its task processes."""
