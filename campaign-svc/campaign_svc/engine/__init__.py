"""The loops that release devices, judge what comes back, and sweep up after what did not."""
