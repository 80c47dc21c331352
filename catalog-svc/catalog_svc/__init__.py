"""Firmware versions over REST."""
