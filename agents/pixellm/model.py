"""PixelLM: a question about a frame in, an answer in words and pixel masks out.

After Ren et al. 2023 (arXiv 2312.02228), from the vision tower to the decoder in one network and without a separate
segmentation model. See config.py for its sizes and ablations, checkpoint.py for its folders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from agents.pixellm import losses
from agents.pixellm.answers import Answer, Target, phrase_spans
from agents.pixellm.batch import Batch, Item, collate, frames_of, on_picture, prompt_ids
from agents.pixellm.codebook import Fusion, Writer
from agents.pixellm.config import PixelLMConfig
from agents.pixellm.decoder import pixel_decoder
from agents.pixellm.language import Language, Read
from agents.pixellm.looking import Sight
from agents.pixellm.vision import ImageTokens, VisionTower, inside, normalised
from agents.pixellm.words import Words
from agents.videoworld.layers import full_precision
from envs.errors import UserError


@dataclass(frozen=True)
class Written:
    """An answer as it was generated: its ids, and the states of its K groups, (K, scales, tokens, dim).

    located: (K, grid * grid), logits of the cells that each target covers; None for a model without looks.
    """

    ids: list[int]
    states: Tensor
    located: Tensor | None


@dataclass(frozen=True)
class Seen:
    """Frames behind the vision tower: maps (B, width, grid, grid), one a scale, and the cells within the pictures."""

    maps: list[Tensor]
    cells: Tensor | None


class PixelLM(nn.Module):
    """Answers questions about frames.

    Frames are uint8 (B, S, S, 3) with the picture top left, of `sizes` (B, 2) px; `frame_of` makes them.
    """

    def __init__(
        self,
        config: PixelLMConfig,
        words: Words,
        *,
        tower: nn.Module | None = None,
        backbone: nn.Module | None = None,
    ) -> None:
        """tower, backbone: pretrained ones in place of our own (see pretrained.py).

        Raises:
            ValueError: the words bring another codebook than the settings.
        """
        super().__init__()
        if words.group != config.group:
            raise ValueError(f"a codebook of {config.group} tokens needs as many in the words, not {words.group}")
        if (tower is None) != (config.tower == "vit") or (backbone is None) != (config.backbone == "llama"):
            raise ValueError("towers of the transformers library come from agents.pixellm.pretrained.build_pretrained")
        self.config, self.words = config, words
        self.vision = VisionTower(config) if tower is None else tower
        self.to_language = ImageTokens(config)
        self.language = Language(config, words.vocabulary, backbone)
        self.fusion = Fusion(config)
        self.decoder = pixel_decoder(config)
        self.label_head = nn.Linear(config.vision_width, sum(config.labels)) if config.labels else None

    # -- pieces ------------------------------------------------------------------------------------------------------

    def see(self, frames: Tensor, sizes: Tensor) -> Seen:
        """The frames' features."""
        c = self.config
        whole = bool((sizes == c.frame_size).all()) if not sizes.is_meta else True
        cells = None if whole else inside(sizes, c.grid, c.patch)
        return Seen(self.vision(normalised(frames, sizes), cells), cells)

    def opening(self, seen: Seen) -> tuple[Tensor, Tensor]:
        """What each frame's sequence begins with, (F, 1 + image tokens, dim), and which of these slots are present."""
        frames, device = len(seen.maps[0]), seen.maps[0].device
        marker = self.language.embed(torch.full((frames, 1), self.words.image, device=device))
        x = torch.cat([marker, self.to_language(seen.maps[0])], 1)
        present = torch.ones(x.shape[:2], dtype=torch.bool, device=device)
        if seen.cells is not None:
            pooled = F.max_pool2d(seen.cells[:, None].float(), self.config.pool)[:, 0] > 0
            present[:, 1:] = pooled.flatten(1)
        return x, present

    def embed(self, seen: Seen, ids: Tensor, pictures: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Frames and ids (B, T) behind them -> inputs (B, 1 + image tokens + T, dim), and which slots are present.

        pictures: int64 (B,), the frame that each row is about; None: its own. All of ids counts as present; who pads
        takes it out.
        """
        x, present = self.opening(seen)
        if pictures is not None:
            x, present = x[pictures], present[pictures]
        return torch.cat([x, self.language.embed(ids)], 1), torch.cat(
            [present, torch.ones_like(ids, dtype=torch.bool)], 1
        )

    def sight(self, seen: Seen) -> Sight | None:
        """The frames' cells as words look at them; None for a model without looks."""
        return self.language.looking.sight(seen.maps[0], seen.cells) if self.language.looking else None

    def read(self, seen: Seen, batch: Batch) -> Read:
        """A batch's questions and answers, whole and all at once."""
        held = torch.arange(batch.ids.shape[1], device=batch.ids.device) < batch.lengths[:, None]
        return self.language.together(
            *self.opening(seen), batch.ids, held, batch.pictures, sight=self.sight(seen), prompts=batch.prompts
        )

    def segment(
        self, seen: Seen, pictures: Tensor, states: Tensor, located: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mask logits (M, S, S) on the frame and scores' logits (M,) of groups' states (M, scales, tokens, dim).

        pictures: int64 (M,), the frame that each target is on. located: (M, grid * grid), logits of the cells that it
        covers, as words located it; for a model with looks. A mask's loss does not flow back through them.
        """
        there = None if located is None else located.detach().float().sigmoid()
        logits, scores = self.decoder(seen.maps, pictures, self.fusion(states), seen.cells, there)
        side = self.config.frame_size
        logits = F.interpolate(logits[:, None].float(), size=(side, side), mode="bilinear", align_corners=False)
        return logits[:, 0], scores

    # -- training ----------------------------------------------------------------------------------------------------

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch, and its figures by the names they have in the log."""
        c = self.config
        seen = self.see(batch.frames, batch.sizes)
        read = self.read(seen, batch)
        hidden, learned = read.hidden, batch.answered[:, 1:]
        logits = self.language.logits(hidden[:, :-1][learned])  # (N, V), each at the slot before its token
        targets = batch.ids[:, 1:][learned]
        text = losses.text_loss(logits, targets)
        taught, told = self._labels(seen, batch)
        figures = {"text_loss": text.detach(), "token_exact": (logits.argmax(-1) == targets).float().mean()}
        figures |= told
        if read.asked is not None and read.named is not None:
            asking = (batch.asked >= 0).all(1)
            look = losses.look_loss(read.asked[asking, 0], batch.asked[asking])
            locate = losses.look_loss(read.named[:, 0], batch.named)
            pointing, found = self._places(read, batch)
            taught = taught + c.look_weight * (look + locate + pointing)
            figures |= {"look_loss": look.detach(), "locate_loss": locate.detach(), **found}
        if not len(batch.samples):
            # Data-parallel training wants every weight to have a gradient, be it 0
            idle = [*self.fusion.parameters(), *self.decoder.parameters(), *seen.maps]
            nothing = torch.zeros_like(figures["token_exact"])
            figures |= dict.fromkeys(("mask_loss", "dice_loss", "score_loss", "contested"), nothing)
            figures["iou"] = nothing + 1
            return c.text_weight * text + taught + sum(weight.sum() for weight in idle) * 0.0, figures
        states = self.language.codebook.gather(hidden, batch.samples, batch.starts)
        pictures = batch.pictures[batch.samples]  # (M,)
        masks, scores = self.segment(seen, pictures, states, self.located(read, batch))
        picture = inside(batch.sizes, c.frame_size)[pictures]
        drawn, told = self.mask_loss(masks, scores, batch.masks, batch.samples, picture)
        total = c.text_weight * text + taught + drawn
        figures |= told
        return total, figures

    def mask_loss(
        self, logits: Tensor, scores: Tensor, masks: Tensor, samples: Tensor, picture: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted loss of masks and scores, and its figures.

        logits, scores: what `segment` gave. masks: the true ones, bool (M, S, S). samples: int64 (M,), whose answer
        each belongs to. picture: bool (M, S, S), True where the frame shows something.
        """
        c = self.config
        with full_precision(logits):
            weights = losses.refinement_weights(logits, samples, c.alpha, c.claims)
            refinement = losses.refinement_loss(logits, masks, weights, picture)
            dice = losses.dice_loss(logits, masks, picture)
            ious = losses.mask_ious(logits, masks, picture)
            score = losses.score_loss(scores, ious)
            total = c.mask_weight * refinement + c.dice_weight * dice + c.score_weight * score
        return total, {
            "mask_loss": refinement.detach(),
            "dice_loss": dice.detach(),
            "score_loss": score.detach(),
            "iou": ious.mean(),
            "contested": losses.contested_share(logits, samples, picture),
        }

    def _labels(self, seen: Seen, batch: Batch) -> tuple[Tensor | float, dict[str, Tensor]]:
        """The weighted loss of the cells' labels, and its figures; 0 for a model that is taught none."""
        if self.label_head is None:
            return 0.0, {}
        if batch.labels is None:
            return sum(weight.sum() for weight in self.label_head.parameters()) * 0.0, {}
        known = (batch.labels >= 0).any(-1)
        logits = self.label_head(seen.maps[0].movedim(1, -1)[known])
        loss, right = losses.label_loss(logits, batch.labels[known], self.config.labels)
        return self.config.label_weight * loss, {"label_loss": loss.detach(), "label_exact": right}

    def located(self, read: Read, batch: Batch) -> Tensor | None:
        """Of the batch's M targets, logits (M, grid * grid) of the cells they were located in; None without looks."""
        if read.named is None:
            return None
        begins = (batch.ids == self.words.codebook[0]).flatten().cumsum(0) - 1  # the how manieth group
        return read.named[begins[batch.samples * batch.ids.shape[1] + batch.starts], 0]

    def _places(self, read: Read, batch: Batch) -> tuple[Tensor | float, dict[str, Tensor]]:
        """The loss of what is pointed at, and its figures; 0 for a model that does not point."""
        if read.asked is None or read.named is None or read.sight is None or read.sight.places is None:
            return 0.0, {}
        asking, known, there = (batch.places >= 0).all(1), batch.spots >= 0, batch.places > 0
        place = losses.look_loss(read.asked[asking, 1], batch.places[asking])
        spot = losses.look_loss(read.named[known, 1], F.one_hot(batch.spots[known], batch.places.shape[1]))
        offset = losses.offset_loss(read.sight.places.offsets[batch.pictures][there], batch.offsets[there])
        figures = {"place_loss": place.detach(), "spot_loss": spot.detach(), "offset_loss": offset.detach()}
        return place + spot + offset, figures

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """What `forward` gives."""
        return self(batch)

    def collate(
        self,
        items: Sequence[Item],
        labels: Sequence[np.ndarray | None] = (),
        places: Sequence[np.ndarray | None] = (),
    ) -> Batch:
        """A batch of (image, question, answer, masks); see `agents.pixellm.batch.collate`."""
        return collate(items, self.config, self.words, labels, places)

    @torch.no_grad()
    def teacher_masks(self, batch: Batch, seen: Seen | None = None) -> tuple[Tensor, Tensor]:
        """Mask logits (M, S, S) and scores (M,), 0..1, under the true answers' texts.

        seen: what `see` gave for the batch's frames, if that is known.
        """
        seen = self.see(batch.frames, batch.sizes) if seen is None else seen
        read = self.read(seen, batch)
        states = self.language.codebook.gather(read.hidden, batch.samples, batch.starts)
        logits, scores = self.segment(seen, batch.pictures[batch.samples], states, self.located(read, batch))
        return logits, scores.float().sigmoid()

    # -- answering ---------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def generate(
        self, seen: Seen, questions: Sequence[Sequence[int]], limit: int | None = None, pictures: Tensor | None = None
    ) -> list[Written]:
        """The likeliest answers to questions (ids) about frames, token by token with a key-value cache.

        limit: of an answer's tokens; `max_answer` if none is given. pictures: as for `embed`.
        """
        prompts = [prompt_ids(list(question), self.words) for question in questions]
        longest, device = max(map(len, prompts)), seen.maps[0].device
        ids = torch.tensor([prompt + [self.words.pad] * (longest - len(prompt)) for prompt in prompts], device=device)
        x, present = self.embed(seen, ids, pictures)
        # Padding goes to the front, so that all answers begin in one slot; relative positions stay as they were
        slots = x.shape[1]
        lengths = torch.tensor([slots - longest + len(prompt) for prompt in prompts], device=device)
        order = (torch.arange(slots, device=device) + lengths[:, None]) % slots
        x = x.gather(1, order[..., None].expand_as(x))
        present = present.gather(1, order) & (torch.arange(slots, device=device) >= slots - lengths[:, None])
        sight = self.sight(seen)
        if sight is not None and pictures is not None:
            sight = sight.of(pictures)
        hidden, memory = self.language(x, present, sight=sight, words=order >= slots - longest)
        states = hidden[:, -1]
        words, room = self.words, limit or self.config.max_answer
        writers = [Writer(words.codebook, words.end, words.pad, room) for _ in prompts]
        forbidden = torch.zeros(words.vocabulary + words.group, dtype=torch.bool, device=device)
        forbidden[[words.pad, words.image, words.image_end, words.question, words.answer, *words.codebook[1:]]] = True
        while True:
            choosing = [number for number, writer in enumerate(writers) if writer.chooses]
            if choosing:
                logits = self.language.logits(states[choosing]).float().masked_fill(forbidden, -torch.inf)
                full = [row for row, number in enumerate(choosing) if not writers[number].has_room]
                logits[full, words.codebook[0]] = -torch.inf
                for number, choice in zip(choosing, logits.argmax(-1).tolist(), strict=True):
                    writers[number].choose(choice, states[number])
            speaks = torch.tensor([bool(writer.queue) for writer in writers], device=device)
            if not speaks.any():
                break
            count = min(len(writer.queue) for writer in writers if writer.queue)
            fed = [writer.feed(count) for writer in writers]
            present = torch.cat([present, speaks[:, None].expand(-1, count)], 1)
            ids = torch.tensor(fed, device=device)
            hidden, memory = self.language(self.language.embed(ids), present, memory, ids=ids)
            for number, (writer, row) in enumerate(zip(writers, fed, strict=True)):
                writer.took(row, hidden[number], None if memory.named is None else memory.named[number])
            states = hidden[:, -1]
        return [self._written(writer, states) for writer in writers]

    def _written(self, writer: Writer, like: Tensor) -> Written:
        """What was written; like: of the states' dtype and device."""
        c, groups = self.config, writer.groups
        if not groups:
            located = like.new_zeros(0, c.grid**2) if c.looks else None
            return Written(writer.ids, like.new_zeros(0, c.scales, c.tokens, c.dim), located)
        states = torch.stack([torch.stack(group) for group in groups]).unflatten(1, (c.scales, c.tokens))
        return Written(writer.ids, states, torch.stack(writer.located) if c.looks else None)

    def question_ids(self, question: str) -> list[int]:
        """A question as ids; UserError if there is none, or more than the model reads."""
        if not question.strip():
            raise UserError("the question is empty: ask something about the picture")
        ids, most = self.words.encode_question(question), self.config.max_question
        if len(ids) > most:
            raise UserError(
                f"the question has {len(question)} characters, {len(ids)} tokens of which this model reads {most}: "
                "ask in fewer words"
            )
        return ids

    def answer(self, image: np.ndarray, question: str) -> Answer:
        """The answer to a question about a picture, uint8 (H, W, 3) of any size; its masks are bool (H, W).

        Raises:
            UserError: the question is empty or too long.
            ValueError: the picture is no such array.
        """
        return self.answers([image], [question])[0]

    @torch.inference_mode()
    def answers(self, images: Sequence[np.ndarray], questions: Sequence[str], seen: Seen | None = None) -> list[Answer]:
        """Answers to a question about each picture, all at once; arguments and errors as for `answer`.

        A picture that comes again, the same object, is looked at once. seen: what `see` gave for these pictures, each
        once, if that is known.
        """
        device = next(self.parameters()).device
        ids = [self.question_ids(question) for question in questions]
        frames, sizes, pictures = frames_of(images, self.config.frame_size)
        pictures = pictures.to(device)
        seen = self.see(frames.to(device), sizes.to(device)) if seen is None else seen
        written = self.generate(seen, ids, pictures=pictures)
        counts = torch.tensor([len(one.states) for one in written], device=device)
        samples = torch.arange(len(written), device=device).repeat_interleave(counts)
        targets: list[list[tuple[np.ndarray, float]]] = [[] for _ in written]
        if len(samples):
            states = torch.cat([one.states for one in written])
            cells = [one.located for one in written if one.located is not None]
            logits, scores = self.segment(seen, pictures[samples], states, torch.cat(cells) if cells else None)
            for number, mask, score in zip(samples.tolist(), logits, scores.float().sigmoid().tolist(), strict=True):
                height, width = sizes[pictures[number]].tolist()
                shape = images[number].shape[0], images[number].shape[1]
                targets[number].append((on_picture(mask[None], (height, width), shape)[0], score))
        return [self._answer(one.ids, found) for one, found in zip(written, targets, strict=True)]

    def _answer(self, ids: list[int], found: list[tuple[np.ndarray, float]]) -> Answer:
        text, spans = phrase_spans(self.words.split_answer(ids))
        return Answer(text, [Target(span, mask, score) for span, (mask, score) in zip(spans, found, strict=True)])
