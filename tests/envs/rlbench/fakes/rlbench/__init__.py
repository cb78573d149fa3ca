"""A stand-in for RLBench 1.2.0 with the names and signatures that its adapter uses, and behaviour of its own."""

__version__ = "1.2.0"

import pyrep  # noqa: F401  the real one imports it too
