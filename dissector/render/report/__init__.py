"""Reports for tickets: one HTML page that needs nothing else, neither a network nor a script."""
