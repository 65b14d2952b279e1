"""Pure TCP: captured packets become ordered bytes, bytes become frames."""
