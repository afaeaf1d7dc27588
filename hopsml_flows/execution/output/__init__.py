"""What a trial prints: its log, and excerpts of it."""
