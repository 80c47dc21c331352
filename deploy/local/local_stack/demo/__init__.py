"""`make demo`: a whole campaign on a simulated fleet, watched live in the terminal."""
