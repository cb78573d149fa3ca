"""VideoWorld: tokenizer + latent dynamics + transformer. Frames in; the coming codes and the next frames out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agents.videoworld.dynamics import LatentDynamicsModel
from agents.videoworld.sampling import GREEDY, Sampler
from agents.videoworld.sequence import Kind, lay_out
from agents.videoworld.tokenizer import FrameTokenizer
from agents.videoworld.transformer import Encoded, VideoTransformer, join_digits


@dataclass(frozen=True)
class Prediction:
    """What VideoWorld expects of the next `horizon` changes.

    codes: int64 (B, horizon, K). code_logprobs: (B, horizon, K), under the sampler. distribution: (B, K, code_size),
    log probabilities of the first change's codes before any sampling. frames: uint8 (B, horizon, H, W, 3), or None if
    not asked for.
    frame_ids: int64 (B, horizon, h, w), or None.
    """

    codes: Tensor
    code_logprobs: Tensor
    distribution: Tensor
    frames: Tensor | None
    frame_ids: Tensor | None


class VideoWorld(nn.Module):
    """A frozen tokenizer and dynamics model around the transformer that was trained on their ids and codes."""

    def __init__(
        self, tokenizer: FrameTokenizer, transformer: VideoTransformer, dynamics: LatentDynamicsModel | None = None
    ):
        super().__init__()
        self.tokenizer, self.transformer, self.dynamics = tokenizer, transformer, dynamics
        self.config = transformer.config

    @torch.no_grad()
    def predict(
        self,
        frames: Tensor,
        instruction: Tensor | None = None,
        *,
        horizon: int = 1,
        sampler: Sampler = GREEDY,
        frame_sampler: Sampler = GREEDY,
        with_frames: bool = True,
        generator: torch.Generator | None = None,
    ) -> Prediction:
        """Look at the last frames and foresee the next ones, each on top of those foreseen before.

        Args:
            frames: uint8 (B, T, H, W, 3); the last `config.history` of them are looked at.
            instruction: embedding (B, instruction_dim) where the model follows one.
            horizon: how many changes to foresee; more than one needs frames.
            sampler: of the codes. frame_sampler: of the frames' tokens.
            with_frames: decode the foreseen frames to pixels; the codes of one change need none.
            generator: for sampling.

        Raises:
            ValueError: a horizon below 1, or frames of another size.
        """
        if horizon < 1:
            raise ValueError(f"horizon is {horizon}: give 1 or more")
        transformer = self.transformer
        known = self.tokenizer.encode(frames[:, -self.config.history :])  # (B, T, h, w)
        past = self._codes_between(frames[:, -self.config.history :])
        codes, logprobs, ids = [], [], []
        distribution = None
        for step in range(horizon):
            encoded = transformer.read(known, past, instruction)
            chosen, scores, logits = self.sample_codes(encoded, known.shape[1], sampler, generator)
            distribution = logits.float().log_softmax(-1) if distribution is None else distribution
            codes.append(chosen)
            logprobs.append(scores)
            if with_frames or step + 1 < horizon:
                following = self.next_frame(encoded, known.shape[1], chosen, frame_sampler, generator)
                ids.append(following)
                known = torch.cat([known, following[:, None]], 1)[:, -self.config.history :]
                past = torch.cat([past, chosen[:, None]], 1)[:, past.shape[1] + 1 - (known.shape[1] - 1) :]
        assert distribution is not None
        frame_ids = torch.stack(ids, 1) if with_frames else None
        return Prediction(
            codes=torch.stack(codes, 1),
            code_logprobs=torch.stack(logprobs, 1),
            distribution=distribution,
            frames=self.tokenizer.decode(frame_ids) if frame_ids is not None else None,
            frame_ids=frame_ids,
        )

    def imagine(
        self, frames: Tensor, instruction: Tensor | None = None, *, steps: int, sampler: Sampler = GREEDY
    ) -> Tensor:
        """The next `steps` frames, rolled forward on the model's own frames: uint8 (B, steps, H, W, 3)."""
        imagined = self.predict(frames, instruction, horizon=steps, sampler=sampler).frames
        assert imagined is not None
        return imagined

    @torch.no_grad()
    def outlook(self, frames: Tensor, instruction: Tensor | None = None) -> Tensor:
        """How a video that goes on from `frames` uint8 (B, T, H, W, 3) will end: uint8 (B, H, W, 3), at its likeliest.

        ValueError from a model that was trained without an outlook.
        """
        if not self.config.outlook:
            raise ValueError("this model was trained without an outlook (model.world.outlook)")
        seen = frames[:, -self.config.history :]
        encoded = self.transformer.read(self.tokenizer.encode(seen), self._codes_between(seen), instruction)
        steps = seen.shape[1]
        digits = self.transformer.read_outlook(encoded.hidden, lay_out(self.config, steps), steps - 1)
        ids = self._join([digit.argmax(-1) for digit in digits])[:, 0]
        return self.tokenizer.decode(ids.view(len(ids), 1, *self.config.grid))[:, 0]

    def sample_codes(
        self, encoded: Encoded, steps: int, sampler: Sampler, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Codes of the change that is due: (B, K), their log probabilities (B, K), and the logits (B, K, code_size)."""
        transformer, c = self.transformer, self.config
        head = transformer.code_head
        if c.codes == 0:
            empty = encoded.hidden.new_zeros(len(encoded.hidden), 0)
            return empty.long(), empty, empty.new_zeros(len(encoded.hidden), 0, c.code_size)
        if c.code_readout == "spatial":
            logits = transformer.read_codes(encoded.hidden, lay_out(c, steps), slice(steps - 1, steps))[:, 0]
            chosen, scores = sampler.draw(logits, generator)
            return chosen, scores, logits
        columns = []
        hidden = encoded.hidden[:, -1:]
        for slot in range(c.codes):
            logits = transformer.of_slot(head(hidden)[:, 0], slot)  # (B, code_size)
            chosen, score = sampler.draw(logits, generator)
            columns.append((chosen, score, logits))
            if slot + 1 < c.codes:
                hidden = transformer.extend(encoded, self._code_input(chosen, slot), steps)
        codes, scores, logits = (torch.stack(column, 1) for column in zip(*columns, strict=True))
        return codes, scores, logits

    def complete_codes(self, encoded: Encoded, steps: int, first: Tensor) -> Tensor:
        """The first codes (B,) of the change that is due, with the likeliest others behind them: (B, K).

        `encoded` must not have been sampled from before.
        """
        transformer, c = self.transformer, self.config
        if c.code_readout == "spatial":
            logits = transformer.read_codes(encoded.hidden, lay_out(c, steps), slice(steps - 1, steps))[:, 0]
            return torch.cat([first[:, None], logits.argmax(-1)[:, 1:]], 1)
        columns = [first]
        for slot in range(1, c.codes):
            hidden = transformer.extend(encoded, self._code_input(columns[-1], slot - 1), steps)
            columns.append(transformer.of_slot(transformer.code_head(hidden)[:, -1], slot).argmax(-1))
        return torch.stack(columns, 1)

    def next_frame(
        self,
        encoded: Encoded,
        steps: int,
        codes: Tensor,
        sampler: Sampler = GREEDY,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Token ids (B, h, w) of the frame that follows under `codes` (B, K)."""
        transformer, c = self.transformer, self.config
        b = len(encoded.stem)
        inputs = [self._code_input(codes[:, slot], slot) for slot in range(c.codes)]
        if c.codes and c.code_readout == "last":
            inputs = inputs[-1:]  # the others were read while they were sampled
        if c.markers and c.codes:
            inputs.append(transformer.kind(Kind.CODE_END).expand(b, 1, -1))
        if c.frame_decoding == "parallel":
            queries = transformer.embed_queries(encoded.stem[:, None], codes[:, None])[:, 0]
            inputs.append(queries + transformer.kind(Kind.QUERY))
            hidden = transformer.extend(encoded, torch.cat(inputs, 1), steps)
            logits = transformer.frame_head(hidden[:, -c.frame_tokens :])
            return self._draw_tokens(logits, sampler, generator).view(b, *c.grid)
        if c.markers:
            inputs.append(transformer.kind(Kind.FRAME_START).expand(b, 1, -1))
        hidden = (
            transformer.extend(encoded, torch.cat(inputs, 1), steps, closing_frame=True) if inputs else encoded.hidden
        )
        ids = []
        for place in range(c.frame_tokens):
            token = self._draw_tokens(transformer.frame_head(hidden[:, -1:]), sampler, generator)  # (B, 1)
            ids.append(token)
            if place + 1 < c.frame_tokens:
                x = transformer.frame_embedding(token) + transformer.kind(Kind.FRAME)
                if transformer.position is not None:
                    x = x + transformer.position[place]
                hidden = transformer.extend(encoded, x, steps, closing_frame=True)
        return torch.cat(ids, 1).view(b, *c.grid)

    def _codes_between(self, frames: Tensor) -> Tensor:
        """Codes of the changes between known frames: (B, T-1, K)."""
        if frames.shape[1] == 1 or self.dynamics is None or not self.config.codes:
            return torch.zeros(
                len(frames), frames.shape[1] - 1, self.config.codes, dtype=torch.long, device=frames.device
            )
        return self.dynamics.encode(frames)

    def _code_input(self, code: Tensor, slot: int) -> Tensor:
        """Input (B, 1, dim) of the `slot`-th code (B,)."""
        return (self.transformer.embed_code(code, slot) + self.transformer.kind(Kind.CODE))[:, None]

    def _draw_tokens(self, logits: Tensor, sampler: Sampler, generator: torch.Generator | None) -> Tensor:
        """Frame head outputs (B, n, ...) -> token ids (B, n)."""
        if self.config.embedding == "table":
            return sampler.draw(logits, generator)[0]
        return self._join([sampler.draw(part, generator)[0] for part in logits.split(self.config.frame_levels, -1)])

    def _join(self, digits: list[Tensor]) -> Tensor:
        """Frame ids from their digits, as `VideoTransformer.read_frames` splits them."""
        return join_digits(digits, self.config.frame_levels) if self.config.embedding == "digits" else digits[0]
