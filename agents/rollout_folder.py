"""The folder of a rollout: what it was told, its finished episodes, and a lock that keeps other processes away."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from agents.checkpoint import CONFIG_FILE, TENSOR_SUFFIX
from agents.rollout_episodes import Episode, Result
from agents.rollout_results import append_result, read_results
from envs.errors import UserError
from envs.files import claim, free_bytes

SETTINGS, EPISODES, RESULTS, FILMS = "rollout.json", "episodes.jsonl", "results.json", "films.json"
ROOM = 20_000_000  # bytes that have to be free


class RolloutFolder:
    """Results by episode, on the disk as soon as they are there.

    Args:
        folder: made where it is missing.
        settings: what has to be the same when a rollout goes on, as plain JSON.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder, self.settings = folder, dict(settings)
        self.results: dict[str, Result] = {}
        self._files: list[IO[str]] = []

    def open(self) -> None:
        """Take the folder and read what was done there; UserError if it is another rollout's, or in use."""
        self._take(self.folder, SETTINGS, "--out")
        results = read_results(self.folder / EPISODES)
        self.results = {key: result for key, result in results.items() if not result.reason}  # the lost are run again

    def take_films(self, folder: Path) -> None:
        """Take a folder for films as well; UserError as above."""
        self._take(folder, FILMS, "--video")

    def close(self) -> None:
        """Let others use the folders."""
        for file in self._files:
            file.close()
        self._files.clear()

    def of(self, episodes: Sequence[Episode]) -> list[Result]:
        """The results of those episodes that are finished, in their order."""
        return [self.results[episode.key] for episode in episodes if episode.key in self.results]

    def add(self, result: Result) -> None:
        """Keep a result; UserError if the disk refuses."""
        append_result(self.folder / EPISODES, result)
        self.results[result.key] = result

    def _take(self, folder: Path, name: str, option: str) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if free_bytes(folder) < ROOM:
                raise UserError(
                    f"{folder} has less than {ROOM // 10**6} MB of room; make room or choose another {option}"
                )
            file = (folder / name).open("a+", encoding="utf-8")
            self._files.append(file)
            claim(file, f"another rollout is at work in {folder}; wait for its end or choose another {option}")
            file.seek(0)
            if told := file.read():
                self._compare(json.loads(told), folder, option)
            else:
                file.write(json.dumps(self.settings, indent=2) + "\n")
                file.flush()
        except UserError:
            raise
        except (OSError, ValueError, AttributeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"cannot use {folder} ({reason}); choose another {option}") from error

    def _compare(self, told: dict[str, Any], folder: Path, option: str) -> None:
        for name, value in json.loads(json.dumps(self.settings)).items():
            if told.get(name) != value:
                what = "other weights" if name == "weights" else f"{name} {told.get(name)}, not {value}"
                raise UserError(f"{folder} holds a rollout with {what}; choose another {option}")


def weights_of(checkpoint: Path) -> str:
    """A fingerprint of a checkpoint folder's networks and settings; UserError where they cannot be read."""
    digest = hashlib.sha256()
    try:
        for path in sorted([checkpoint / CONFIG_FILE, *checkpoint.glob(f"*{TENSOR_SUFFIX}")]):
            with path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    except OSError as error:
        raise UserError(f"{checkpoint} cannot be read ({error.strerror or error}); check the path") from error
    return digest.hexdigest()[:16]
