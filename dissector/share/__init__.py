"""Captures to give away: parts of a capture, and captures without what is nobody else's business."""
