"""The world model: frames to tokens, changes to latent codes, and back. It knows neither Go nor robots."""
