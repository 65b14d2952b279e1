"""Python against Wireshark: the same capture decoded by both, compared field by field."""
