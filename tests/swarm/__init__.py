"""The swarm: one integer draws a whole situation, faults included; an independent checker judges it."""
