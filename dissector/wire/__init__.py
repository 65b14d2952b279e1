"""What bytes mean: no state, no I/O."""
