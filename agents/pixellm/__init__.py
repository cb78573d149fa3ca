"""PixelLM: questions about a frame, answered in words and pixel masks. `model.py` is the way in."""
