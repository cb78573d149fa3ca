"""Text, slots and the codebook's ids."""

from __future__ import annotations

import pytest

from agents.pixellm.answers import phrase_spans
from agents.pixellm.words import Words, seg_names, train_words
from envs.errors import UserError
from tests.agents.pixellm.shapes import words_of

WORDS = words_of(6)
ANSWER = "There is the red disc {seg} and the blue square {seg}."


@pytest.mark.parametrize("group", [1, 2, 6])
def test_ids_of_the_codebook_are_distinct_and_contiguous(group: int) -> None:
    words = words_of(group)
    assert words.codebook == list(range(words.vocabulary, words.vocabulary + group))
    assert len(set(words.codebook)) == group
    assert max(words.encode("any text, 12 of it")) < words.vocabulary


def test_every_text_comes_back() -> None:
    for text in ("There is the red disc.", "  spaces\tand\nlines ", "黒石はどこ? \N{WHITE FLAG}", "x" * 300):
        assert WORDS.decode(WORDS.encode(text)) == text


def test_people_cannot_write_tokens() -> None:
    for name in ("[SEG0]", "<answer>", "<end>", "<pad>"):
        ids = WORDS.encode(f"what is {name}?")
        assert not set(ids) & {*WORDS.codebook, WORDS.answer, WORDS.end, WORDS.pad}
        assert WORDS.decode(ids) == f"what is {name}?"


def test_slots_become_whole_groups() -> None:
    encoded = WORDS.encode_answer(ANSWER, 100)
    assert encoded.dropped == 0 and encoded.ids[-1] == WORDS.end
    for start in encoded.groups:
        assert encoded.ids[start : start + 6] == WORDS.codebook
    assert WORDS.split_answer(encoded.ids) == ["There is the red disc", " and the blue square", "."]


@pytest.mark.parametrize("limit", range(1, 40))
def test_no_group_is_ever_halved(limit: int) -> None:
    encoded = WORDS.encode_answer(ANSWER, limit)
    assert len(encoded.ids) <= limit
    assert len(encoded.groups) + encoded.dropped == 2
    assert sum(number in WORDS.codebook for number in encoded.ids) == 6 * len(encoded.groups)
    for start in encoded.groups:
        assert encoded.ids[start : start + 6] == WORDS.codebook
    whole = WORDS.encode_answer(ANSWER, 1000).ids
    assert encoded.ids == whole[: len(encoded.ids)]


def test_words_survive_their_json() -> None:
    again = Words.from_json(WORDS.to_json(), 6, WORDS.known)
    assert again.known == WORDS.known
    assert again.codebook == WORDS.codebook and again.vocabulary == WORDS.vocabulary
    assert again.encode_answer(ANSWER, 100) == WORDS.encode_answer(ANSWER, 100)
    assert again.encode("[SEG0]") == WORDS.encode("[SEG0]")


def test_known_words_are_those_of_the_texts() -> None:
    words = train_words(["Where is the red LED?", "It is behind the box {seg}, at C3."], 6, pieces=300)
    assert words.known == {"where", "is", "the", "red", "led", "it", "behind", "box", "at", "c"}
    assert words.knows("Led") and words.knows("box") and not words.knows("seg") and not words.knows("drawer")


def test_words_stay_where_the_codebook_has_another_size() -> None:
    six, text = words_of(6), "What red disc is there? {seg}"
    one = six.regrouped(1)
    assert one.vocabulary == six.vocabulary and one.group == 1 and one.known == six.known
    assert one.encode(text) == six.encode(text) and one.decode(one.encode(text)) == text
    assert one.regrouped(6).to_json() == six.to_json()
    assert (one.pad, one.end, one.codebook) == (six.pad, six.end, [six.vocabulary])


def test_where_nobody_told_the_words_a_piece_is_one() -> None:
    words = Words.from_json(train_words(["the box"] * 3, 6, pieces=300).to_json(), 6)
    assert words.known == frozenset() and words.knows("the") and words.knows("box") and not words.knows("boxes")


def test_another_codebook_does_not_fit_the_json() -> None:
    with pytest.raises(ValueError, match="codebook"):
        Words.from_json(WORDS.to_json(), 2)


def test_a_foreign_file_is_one_sentence(tmp_path) -> None:
    path = tmp_path / "tokenizer.json"
    with pytest.raises(UserError, match="cannot read"):
        Words.from_file(path, 6)
    path.write_text("{}")
    with pytest.raises(UserError, match="no tokenizer"):
        Words.from_file(path, 6)


def test_names() -> None:
    assert seg_names(1) == ["[SEG]"] and seg_names(3) == ["[SEG0]", "[SEG1]", "[SEG2]"]


def test_a_large_vocabulary_is_only_as_large_as_the_texts_need() -> None:
    words = train_words(["a b a b"] * 3, 2, pieces=2000)
    assert 256 <= words.vocabulary < 300


@pytest.mark.parametrize(
    "pieces, phrases",
    [
        (["The white stones in atari are C3", " and D4", "."], ["C3", "D4"]),
        (["The red block", " is left of the drawer handle", "."], ["The red block", "the drawer handle"]),
        (["Yes, there are two: the blue one", ", the far one", "."], ["the blue one", "the far one"]),
        (["", "", ""], ["", ""]),
        (["Press the green button", ""], ["the green button"]),
        (["No."], []),
    ],
)
def test_phrases(pieces: list[str], phrases: list[str]) -> None:
    text, spans = phrase_spans(pieces)
    assert text == "".join(pieces)
    assert [text[start:end] for start, end in spans] == phrases
