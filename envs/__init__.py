"""Everything that makes frames. Importing this package registers its Gymnasium environments, without loading them."""

from __future__ import annotations

from gymnasium.envs.registration import register, registry

from envs.errors import UserError

__all__ = ["UserError"]

GO_ENV_ID = "videoworld/Go-v0"

if GO_ENV_ID not in registry:
    register(id=GO_ENV_ID, entry_point="envs.go.env:GoEnv")
