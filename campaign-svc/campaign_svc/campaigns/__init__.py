"""Campaigns over REST: create, find, control, and what became of each device."""
