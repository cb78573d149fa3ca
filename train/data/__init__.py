"""What the stages learn from: clips of frames, rendered when they are asked for."""
