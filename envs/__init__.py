"""Everything that makes frames. Importing this package registers its Gymnasium environments, without loading them.

Where Gymnasium is not imported yet, they are registered as soon as it is: importing it here would take longer than a
GTP engine may take to answer its first command.
"""

from __future__ import annotations

import sys

from envs.errors import UserError

__all__ = ["UserError", "register_envs"]

GO_ENV_ID = "videoworld/Go-v0"
DREAM_GO_ENV_ID = "videoworld/DreamGo-v0"
CALVIN_ENV_ID = "videoworld/Calvin-v0"
RLBENCH_ENV_ID = "videoworld/RLBench-v0"

_ENTRY_POINTS = {
    GO_ENV_ID: "envs.go.env:GoEnv",
    DREAM_GO_ENV_ID: "envs.dream:DreamGoEnv",
    CALVIN_ENV_ID: "envs.calvin.env:CalvinEnv",
    RLBENCH_ENV_ID: "envs.rlbench.env:RLBenchEnv",
}


def register_envs() -> None:
    """Make the environments known to Gymnasium; calling it again does nothing."""
    from gymnasium.envs.registration import register, registry

    for name, entry_point in _ENTRY_POINTS.items():
        if name not in registry:
            register(id=name, entry_point=entry_point)


class _Registrar:
    """Stands among Python's finders of modules, finds none, and notices when Gymnasium's registry has been loaded."""

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> None:
        registration = sys.modules.get("gymnasium.envs.registration")
        if registration is not None and not getattr(registration.__spec__, "_initializing", False):
            sys.meta_path.remove(cls)  # type: ignore[arg-type]
            register_envs()


if "gymnasium" in sys.modules:
    register_envs()
else:
    sys.meta_path.insert(0, _Registrar)  # type: ignore[arg-type]
