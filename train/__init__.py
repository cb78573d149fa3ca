"""Training: `python -m train STAGE key=value ...` (see `python -m train --help`)."""
