"""Words: text <-> token ids, the codebook's tokens among them.

Any tokenizer of the `tokenizers` package serves: `train_words` makes a byte-level BPE, so that no text is unknown, and
the paper preset takes that of its language model. Behind its own pieces stand our markers and, last and contiguous, the
codebook's tokens. Text from people never becomes one of these, whatever it says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envs.errors import UserError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SLOT = "{seg}"  # stands in an answer behind the phrase of each target
MARKERS = ("<pad>", "<image>", "</image>", "<question>", "<answer>", "<end>")
_SLOTS = re.compile(r" ?\{seg\}")
WORD = re.compile(r"[^\W\d_]+")  # letters alone


@dataclass(frozen=True)
class Encoded:
    """An answer as tokens.

    ids: with the end marker, unless targets were dropped. groups: where each target's group begins. dropped: how many
    targets did not fit.
    """

    ids: list[int]
    groups: list[int]
    dropped: int


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise UserError("answering questions needs the package tokenizers: pip install 'tokenizers>=0.21'") from error
    return tokenizers


def seg_names(group: int) -> list[str]:
    """What the codebook's tokens are called: [SEG0], [SEG1], ...; [SEG] where there is one alone."""
    return ["[SEG]"] if group == 1 else [f"[SEG{number}]" for number in range(group)]


class Words:
    """A tokenizer with the markers and a codebook of `group` tokens.

    Attributes:
        vocabulary: how many ids are words or markers: 0 .. vocabulary - 1.
        codebook: the ids of a target's group, ascending: vocabulary .. vocabulary + group - 1.
        known: the words of the questions and answers of training, in small letters; empty if nobody has told them.
    """

    def __init__(self, tokenizer: Tokenizer, group: int, known: Iterable[str] = ()) -> None:
        library, self.known = _library(), frozenset(known)
        # A copy: adding tokens changes the one that was given
        self.tokenizer = library.Tokenizer.from_str(tokenizer.to_str())
        names = [*MARKERS, *seg_names(group)]
        self.tokenizer.add_special_tokens([library.AddedToken(name, special=True, normalized=False) for name in names])
        self.tokenizer.encode_special_tokens = True  # what people write is text, "[SEG0]" too
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.pad, self.image, self.image_end, self.question, self.answer, self.end = map(self._id, MARKERS)
        self.codebook = [self._id(name) for name in seg_names(group)]
        self.vocabulary = self.codebook[0]
        size = self.tokenizer.get_vocab_size(with_added_tokens=True)
        if self.codebook != list(range(size - group, size)):
            raise ValueError(f"the codebook's ids {self.codebook} are not the last {group} of {size}, each its own")

    def _id(self, name: str) -> int:
        number = self.tokenizer.token_to_id(name)  # of the token by its name: text would be cut into pieces
        assert number is not None, name
        return int(number)

    @property
    def group(self) -> int:
        """Tokens of a target's group."""
        return len(self.codebook)

    def to_json(self) -> str:
        """What `from_json` reads."""
        return str(self.tokenizer.to_str())

    @classmethod
    def from_json(cls, text: str, group: int, known: Iterable[str] = ()) -> Words:
        """Words from a tokenizer's JSON, our own or another's; ValueError where it is none."""
        try:
            tokenizer = _library().Tokenizer.from_str(text)
        except UserError:
            raise
        except Exception as error:  # the library raises plain Exceptions
            raise ValueError(f"no tokenizer ({error})") from error
        return cls(tokenizer, group, known)

    def regrouped(self, group: int) -> Words:
        """The same words with a codebook of another size; ids of words stay as they are."""
        values, own = json.loads(self.to_json()), seg_names(self.group)
        values["added_tokens"] = [token for token in values["added_tokens"] if token["content"] not in own]
        return Words.from_json(json.dumps(values), group, self.known)

    @classmethod
    def from_file(cls, path: str | Path, group: int) -> Words:
        """Words on a `tokenizer.json`, such as that of a language model; UserError if it cannot be read."""
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"), group)
        except OSError as error:
            raise UserError(f"cannot read the tokenizer {path}: {error.strerror or error}; check the path") from error
        except ValueError as error:
            raise UserError(f"{path} holds {error}: give a tokenizer.json of the tokenizers package") from error

    def knows(self, word: str) -> bool:
        """Whether training had this word; where nobody has told, whether it is a piece of its own.

        Every word that came twice in the texts that pieces were learned from is one, behind a space or not.
        """
        if self.known:
            return word.lower() in self.known
        return any(len(self.encode(text)) == 1 for text in (word, f" {word}"))

    def encode(self, text: str) -> list[int]:
        """Text -> ids, words alone."""
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """Ids of words -> text; markers and codebook say nothing."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def encode_question(self, text: str) -> list[int]:
        """Question -> ids; the spaces around it, and those in a row within it, do not count."""
        return self.encode(" ".join(text.split()))

    def encode_answer(self, answer: str, limit: int) -> Encoded:
        """Answer with slots -> ids; each slot becomes a whole group.

        What does not fit in `limit` tokens is cut off, and a group that would not fit ends the answer before its
        phrase: no group is ever halved.
        """
        pieces = [self.encode(piece) for piece in _SLOTS.split(answer)]
        ids: list[int] = []
        groups: list[int] = []
        last = len(pieces) - 1
        for number, piece in enumerate(pieces):
            tail = [self.end] if number == last else self.codebook
            if len(ids) + len(piece) + len(tail) > limit:
                if number == last:
                    ids += piece[: limit - len(ids)]
                break
            if number < last:
                groups.append(len(ids) + len(piece))
            ids += [*piece, *tail]
        return Encoded(ids, groups, last - len(groups))

    def split_answer(self, ids: Sequence[int]) -> list[str]:
        """Ids -> the texts before, between and behind the groups; up to the end marker."""
        ids = list(ids)
        if self.end in ids:
            ids = ids[: ids.index(self.end)]
        pieces: list[list[int]] = [[]]
        for number in ids:
            if number == self.codebook[0]:
                pieces.append([])
            elif number < self.vocabulary:
                pieces[-1].append(number)
        return [self.decode(piece) for piece in pieces]


def words_of(texts: Iterable[str]) -> set[str]:
    """The words of some texts, letters alone and small ones; slots are no words."""
    return {word.lower() for text in texts for word in WORD.findall(_SLOTS.sub("", text))}


def train_words(texts: Iterable[str], group: int, *, pieces: int = 2000) -> Words:
    """Words learned from questions and answers: a byte-level BPE of at most `pieces` pieces (256 of them bytes)."""
    library = _library()
    tokenizer = library.Tokenizer(library.models.BPE())
    tokenizer.pre_tokenizer = library.pre_tokenizers.Sequence(
        [
            library.pre_tokenizers.Digits(individual_digits=True),
            library.pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=pieces,
        initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        min_frequency=2,
    )
    texts = list(texts)
    tokenizer.train_from_iterator((_SLOTS.sub("", text) for text in texts), trainer)
    return Words(tokenizer, group, words_of(texts))
