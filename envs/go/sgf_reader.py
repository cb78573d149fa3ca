"""From the bytes of a game record to `SgfGame`s: encodings, damaged records, other people's habits. See `sgf.py`."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sgfmill import sgf, sgf_grammar

from envs.errors import UserError
from envs.go.coords import gtp_to_colour, sgf_to_point
from envs.go.rules import BLACK, WHITE, GoGame, IllegalMoveError, Move, check_size, fixed_handicap

MAX_BYTES = 64 * 2**20  # of one file, unpacked
MAX_MOVES = 10_000  # of one game; longer ones are damaged or hostile
MAX_BROKEN_IN_A_ROW = 20  # games; a file that keeps failing is given up, for each failure may read it to its end


@dataclass(frozen=True)
class SgfGame:
    """One game read from a record.

    Attributes:
        game: the final position with the whole history, under simple ko; resignations are in `result` only.
        size, komi, moves: as in `game`; komi is 0 where the record has none.
        handicap: number of handicap stones, 0 for an even game.
        black_setup, white_setup: points of stones on the board before the first move, handicap included.
        comments: one for each move, "" where there is none; `root_comment` stands before the first.
        black, white, result, rules, date: the record's own words, "" where they are missing.
        variations: side lines that leave the main line; they were not read.
        notes: one sentence for each thing that was not read as written.
        source: the file, and the number of the game within it if it holds several.
    """

    game: GoGame
    size: int
    komi: float
    moves: tuple[Move, ...]
    handicap: int = 0
    black_setup: tuple[int, ...] = ()
    white_setup: tuple[int, ...] = ()
    comments: tuple[str, ...] = ()
    root_comment: str = ""
    black: str = ""
    white: str = ""
    result: str = ""
    rules: str = ""
    date: str = ""
    variations: int = 0
    notes: tuple[str, ...] = ()
    source: str = ""

    @property
    def winner(self) -> int | None:
        """BLACK or WHITE, EMPTY (0) for a draw, or None where `result` does not say."""
        word = self.result.strip().lower()
        if word in ("0", "draw", "jigo"):
            return 0
        return {"b+": BLACK, "w+": WHITE}.get(word[:2])


@dataclass(frozen=True)
class Skipped:
    """A game of a folder that could not be used: where it stands and why, in one sentence."""

    source: str
    reason: str


class _DamagedError(UserError):
    """Raised when the text is no SGF, as opposed to a game that cannot be used."""


def load(path: Path) -> bytes:
    """Return the bytes of a file, unpacked if it is gzip."""
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            data = (gzip.GzipFile(fileobj=file) if packed else file).read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise UserError(f"cannot read {path}: {reason}; check the file") from error
    if len(data) > MAX_BYTES:
        raise UserError(f"{path} is larger than {MAX_BYTES // 2**20} MiB; split it into smaller files")
    return data


def read_games(data: bytes, name: str, size: int | None = None) -> Iterator[SgfGame | Skipped]:
    """Yield each game of a record, or why it could not be used; at least one item. `size` skips all other sizes."""
    data = _as_utf8(data)
    position, number, broken = 0, 0, 0
    while broken < MAX_BROKEN_IN_A_ROW:
        # Game by game, so that one damaged game does not cost the whole collection.
        tokens, end = sgf_grammar.tokenise(data, position)
        if not tokens:
            break
        number += 1
        source = name if number == 1 else f"{name} game {number}"
        game: SgfGame | Skipped
        try:
            game = _read_game(data[position:end], source, size)
            broken = 0
        except UserError as error:
            game = Skipped(source, str(error))
            broken += isinstance(error, _DamagedError)
        yield game
        position = end
    if not number:
        yield Skipped(name, "it holds no SGF game; give a file that begins with '(;'")
    if broken >= MAX_BROKEN_IN_A_ROW:
        yield Skipped(f"{name} after game {number}", f"{broken} games in a row were damaged; repair or split the file")


def _as_utf8(data: bytes) -> bytes:
    """Return the record in UTF-8, whatever it was written in.

    The parser looks for brackets in bytes, and in the Chinese, Japanese and Korean encodings a bracket may be the
    second half of a letter; so text is decoded first. Records often name a wrong encoding or none: the first one that
    decodes wins.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace").encode("utf-8")
    data = data.removeprefix(codecs.BOM_UTF8)
    named = re.search(rb"CA\s*\[\s*([\w.:-]+)\s*\]", data[:4096])
    encodings = ["utf-8", named.group(1).decode("ascii", "replace")] if named else ["utf-8"]
    encodings = ["gb18030" if name.lower() in ("gb2312", "gbk") else name for name in encodings]
    if not named and b"foxwq" in data[:4096]:
        encodings.append("gb18030")
    for encoding in encodings:
        try:
            return data.decode(encoding).encode("utf-8")
        except (UnicodeError, LookupError):
            continue
    return data.decode("iso-8859-1").encode("utf-8")  # the standard's default, and it decodes anything


def _read_game(data: bytes, source: str, only_size: int | None) -> SgfGame:
    try:
        tree = sgf_grammar.parse_sgf_game(data)
    except ValueError as error:
        raise _DamagedError(f"it is damaged ({error}); repair or remove it") from error
    root = tree.sequence[0]
    kind = _raw(root, "GM", "1")
    if kind != "1":
        raise UserError(f"it is a record of another game (GM[{kind[:20]}]); give records of Go (GM[1])")
    size = _parse_size(_raw(root, "SZ", "19"))
    if only_size is not None and size != only_size:
        raise UserError(f"it is played on {size}x{size}, not {only_size}x{only_size}; it was left out")
    root["SZ"] = [str(size).encode()]  # the library reads neither "9:9" nor blanks
    record = sgf.Sgf_game.from_coarse_game_tree(tree, "utf-8")
    notes: list[str] = []
    komi = _parse_komi(_raw(root, "KM", ""), notes)
    variations = _count_variations(tree)
    if variations:
        notes.append(f"the main line was read; side lines left out: {variations}")
    game, comments, root_comment = _replay(record, size, komi, notes)
    stones = game.initial_stones.reshape(-1)
    first = record.get_root()
    return SgfGame(
        game=game,
        size=size,
        komi=komi,
        moves=tuple(game.history),
        handicap=len(game.handicap_stones),
        black_setup=tuple(int(point) for point in (stones == BLACK).nonzero()[0]),
        white_setup=tuple(int(point) for point in (stones == WHITE).nonzero()[0]),
        comments=tuple(comments),
        root_comment=root_comment,
        black=_text(first, "PB"),
        white=_text(first, "PW"),
        result=_text(first, "RE").strip(),
        rules=_text(first, "RU").strip(),
        date=_text(first, "DT").strip(),
        variations=variations,
        notes=tuple(notes),
        source=source,
    )


def _replay(record: sgf.Sgf_game, size: int, komi: float, notes: list[str]) -> tuple[GoGame, list[str], str]:
    """Return the game at the end of the main line, the comment of each move and those before the first."""
    nodes = list(record.main_sequence_iter())
    if len(nodes) > 2 * MAX_MOVES:
        raise UserError(f"it has {len(nodes)} nodes; {MAX_MOVES} moves are the limit")
    first = next((index for index, node in enumerate(nodes) if _moves_of(node)), len(nodes))
    game = GoGame(size, komi=komi)
    # Setup stones may share a node with the first move.
    _set_up(game, nodes[: first + 1], _moves_of(nodes[first])[0][0] if first < len(nodes) else None, notes)
    before = [text for text in (_text(node, "C") for node in nodes[:first]) if text]
    comments: list[str] = []
    for node in nodes[first:]:
        if node is not nodes[first] and node.has_setup_stones():
            played = len(game.history)
            raise UserError(f"it changes stones by hand after move {played}; only setup before the first move is read")
        for colour, raw in _moves_of(node):
            _play(game, colour, raw, notes)
            comments.append("")
        if comments and (text := _text(node, "C")):
            comments[-1] = f"{comments[-1]}\n{text}".strip()
    return game, comments, "\n".join(before)


def _play(game: GoGame, colour: int, raw: bytes, notes: list[str]) -> None:
    number = len(game.history) + 1
    if number > MAX_MOVES:
        raise UserError(f"it has more than {MAX_MOVES} moves, which is the limit")
    if game.is_over:
        notes.append(f"the game went on after two passes before move {number}")
        game.resume()
    try:
        game.play(sgf_to_point(raw.decode("utf-8", "replace"), game.size), colour)
    except IllegalMoveError as error:
        reason = str(error).partition(";")[0]  # what it tells a player to do mends no file
        raise UserError(f"move {number} is illegal: {reason}; mend the record or give another") from error
    except UserError as error:
        raise UserError(f"move {number} is damaged: {error}") from error


def _set_up(game: GoGame, nodes: list[sgf.Node], first_colour: int | None, notes: list[str]) -> None:
    """Put the stones of AB, AW and AE on the board and settle who moves first."""
    black: dict[int, None] = {}
    white: dict[int, None] = {}
    for node in nodes:
        try:
            parts = node.get_setup_stones()
        except ValueError as error:
            what = str(error) or "a point off the board"
            raise UserError(f"its setup stones are damaged ({what}); repair it") from error
        added_black, added_white, cleared = ([_point(pair, game.size) for pair in part] for part in parts)
        for stones, others, added in ((black, white, added_black), (white, black, added_white)):
            for point in sorted(added):
                others.pop(point, None)
                stones[point] = None
        for point in cleared:
            black.pop(point, None)
            white.pop(point, None)
    count = _raw(nodes[0].get_raw_property_map(), "HA", "0")
    handicap = int(count) if count.isdecimal() else 0
    if handicap >= 2 and not black and not white and first_colour == WHITE:
        black = dict.fromkeys(fixed_handicap(game.size, handicap))
        notes.append(f"the {handicap} handicap stones are not in the record; the usual points were taken")
    to_move = first_colour
    turn = next((_raw(node.get_raw_property_map(), "PL", "") for node in nodes if node.has_property("PL")), "")
    if to_move is None and turn[:1].lower() in ("b", "w"):
        to_move = gtp_to_colour(turn[:1])
    game.place_stones(black, white, to_move=to_move, handicap=handicap >= 2 and bool(black) and not white)


def _moves_of(node: sgf.Node) -> list[tuple[int, bytes]]:
    """Return the moves of one node; damaged records have more than one, and those are played in order."""
    properties = node.get_raw_property_map()
    return [(gtp_to_colour(name), raw) for name in ("B", "W") for raw in properties.get(name, ())]


def _raw(properties: dict[str, list[bytes]], name: str, default: str) -> str:
    values = properties.get(name)
    return values[0].decode("utf-8", "replace").strip() if values else default


def _text(node: sgf.Node, name: str) -> str:
    if not node.has_property(name):
        return ""
    try:
        return str(node.get(name))
    except ValueError:
        return _raw(node.get_raw_property_map(), name, "")


def _parse_size(text: str) -> int:
    width, _, height = text.partition(":")
    if not width.strip().isdecimal() or (height and not height.strip().isdecimal()):
        raise UserError(f"its board size SZ[{text[:20]}] is no number; repair or remove it")
    if height and int(height) != int(width):
        raise UserError(f"its board is {int(width)}x{int(height)}; only square boards are supported")
    return check_size(int(width[:9]))


def _parse_komi(text: str, notes: list[str]) -> float:
    """Read komi; Fox writes hundredths, of points in Japanese games and of stones (two points each) in Chinese ones."""
    if not text:
        return 0.0
    match = re.match(r"\s*([+-]?\d{1,6}(?:[.,]\d{1,6})?)(?![\d.,]*[eE]\d)", text)
    if not match:
        notes.append(f"komi {text[:20]!r} was not understood and taken as 0")
        return 0.0
    komi = float(match.group(1).replace(",", "."))
    if abs(komi) >= 100:
        hundredths = komi
        komi = komi / 100
        if komi * 2 != round(komi * 2):
            komi *= 2
        notes.append(f"komi {hundredths:g} was read as {komi:g} points")
    return komi


def _count_variations(tree: sgf_grammar.Coarse_game_tree) -> int:
    count = 0
    while tree.children:
        count += len(tree.children) - 1
        tree = tree.children[0]
    return count


def _point(pair: tuple[int, int], size: int) -> int:
    """The library counts rows from the bottom, as GTP does."""
    row, col = pair
    return (size - 1 - row) * size + col
