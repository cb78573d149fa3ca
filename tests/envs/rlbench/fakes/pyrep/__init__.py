"""A stand-in for PyRep: what RLBench's adapter meets of it."""

__version__ = "4.1.0.3"
