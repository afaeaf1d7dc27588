"""Maggy's names, and what they mean here. Internal and pure; modules above it make them public."""
