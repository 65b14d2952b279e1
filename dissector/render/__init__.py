"""What a person or a program reads: one file a view."""
