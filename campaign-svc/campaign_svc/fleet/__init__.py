"""Devices and groups over REST, one by one, in bulk, and from CSV files."""
