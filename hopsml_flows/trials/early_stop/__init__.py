"""Rules that end trials early. Pure; one rule per module."""
