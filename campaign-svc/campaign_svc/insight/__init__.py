"""What people look at: history, overview, forecasts and event streams, from counters."""
