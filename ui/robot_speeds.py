"""How fast a robot's time may run in the window."""

FASTEST = float("inf")
SPEEDS = {0.25: "1/4", 0.5: "1/2", 1.0: "1x", 2.0: "2x", 4.0: "4x", FASTEST: "max"}
