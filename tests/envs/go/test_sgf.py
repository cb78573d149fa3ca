"""Game records: what other programs write is read, what we write comes back, and damage is told in one sentence."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from envs.errors import UserError
from envs.go import sgf_reader
from envs.go.coords import gtp_to_point, point_to_gtp
from envs.go.rules import BLACK, EMPTY, WHITE, GoGame, Move
from envs.go.sgf import SgfGame, format_sgf, read_folder, read_sgf, write_sgf


def names(record: SgfGame) -> list[str]:
    return [point_to_gtp(move.point, record.size) for move in record.moves]


def test_a_plain_record() -> None:
    record = read_sgf(
        b"(;GM[1]FF[4]CA[UTF-8]SZ[9]KM[6.5]RU[Chinese]PB[Ada]PW[Grace \\] H]RE[B+R]DT[2024-05-01]C[hello]"
        b";B[ee];W[ce]C[a reply];B[];W[tt])"
    )
    assert (record.size, record.komi, record.handicap) == (9, 6.5, 0)
    assert (record.black, record.white, record.result, record.winner) == ("Ada", "Grace ] H", "B+R", BLACK)
    assert (record.rules, record.date, record.root_comment) == ("Chinese", "2024-05-01", "hello")
    assert names(record) == ["E5", "C5", "pass", "pass"]
    assert record.comments == ("", "a reply", "", "")
    assert record.game.is_over
    assert record.game.komi == 6.5
    assert record.notes == ()
    assert record.variations == 0


@pytest.mark.parametrize(
    ("result", "winner"),
    [("B+3.5", BLACK), ("W+Resign", WHITE), ("b+T", BLACK), ("0", EMPTY), ("Draw", EMPTY), ("Void", None), ("", None)],
)
def test_winners(result: str, winner: int | None) -> None:
    assert read_sgf(f"(;SZ[9]RE[{result}];B[ee])".encode()).winner == winner


# What other programs write

KGS = b"""(;GM[1]FF[4]CA[UTF-8]AP[CGoban:3]ST[2]
RU[Japanese]SZ[19]HA[3]KM[0.50]TM[1200]OT[5x20 byo-yomi]
PW[w]PB[b]WR[3k]BR[6k]AB[pd][dp][pp]PL[W]RE[W+12.50]
;W[dd]WL[1188.4];B[fc]BL[1190];W[cf]
(;B[jd];W[qf])
(;B[qn]
(;W[nd])(;W[od])))"""
FOX = (
    "(;GM[1]FF[4]SZ[19]GN[]DT[2021-01-02]PB[黑棋]PW[白棋]KM[375]HA[0]RU[Chinese]AP[GNU Go:3.8]RN[3]RE[B+R]"
    "TM[300]TC[3]TT[30]AP[foxwq]RL[0];B[pd];W[dp])"
)
OGS = b"""(;FF[4]CA[UTF-8]GM[1]DT[2020-01-01]PC[OGS: https://online-go.com/game/1]GN[Friendly]PB[a]PW[b]BR[12k]WR[11k]
TM[259200]OT[86400 fischer]RE[W+5.5]SZ[9]KM[5.5]RU[Japanese]
;B[ee]
(;W[gc]
(;B[cg]
)))"""
GOGOD = (
    b"(;\nFF[3]\r\nGM[1]\r\nSZ[19]\r\nPB[Honinbo Sh\xfbsaku]\r\nPW[Gennan Inseki]\r\nKM[0]\r\n\r\n"
    b";B[qd];W[dc];B[pq];W[oc]\r\n)\r\n"
)
OLD = b"(;GaMe[1]SiZe[9]AddBlack[cc:ee]PlayeR[W];White[aa])"


def test_kgs_handicap_and_side_lines() -> None:
    record = read_sgf(KGS)
    assert (record.handicap, record.komi, record.result) == (3, 0.5, "W+12.50")
    assert [point_to_gtp(point, 19) for point in record.black_setup] == ["Q16", "D4", "Q4"]
    assert set(record.game.handicap_stones) == set(record.black_setup)
    assert names(record) == ["D16", "F17", "C14", "K16", "R14"]
    assert record.moves[0].colour == WHITE
    assert record.variations == 1
    assert record.notes == ("the main line was read; side lines left out: 1",)


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-8-sig", "utf-16"])
def test_fox_in_any_encoding_and_with_its_komi(encoding: str) -> None:
    record = read_sgf(FOX.encode(encoding))
    assert (record.black, record.white, record.komi) == ("黑棋", "白棋", 7.5)
    assert record.notes == ("komi 375 was read as 7.5 points",)


def test_ogs_and_gogod() -> None:
    assert names(read_sgf(OGS)) == ["E5", "G7", "C3"]
    record = read_sgf(GOGOD)
    assert record.black == "Honinbo Shûsaku"
    assert (record.komi, len(record.moves)) == (0, 4)


def test_property_names_of_the_eighties_and_point_rectangles() -> None:
    record = read_sgf(OLD)
    assert len(record.black_setup) == 9
    assert record.moves == (Move(WHITE, 0),)


@pytest.mark.parametrize("encoding", ["big5", "shift_jis", "euc_kr", "iso-8859-1", "windows-1252"])
def test_encodings_are_taken_from_the_record(encoding: str) -> None:
    # In Big5 and Shift JIS the second byte of these letters is a backslash.
    name = {"big5": "功許", "shift_jis": "表予", "euc_kr": "이세돌"}.get(encoding, "Müller")
    record = read_sgf(f"(;CA[{encoding}]SZ[9]PB[{name}]PW[x];B[aa])".encode(encoding))
    assert (record.black, record.white, len(record.moves)) == (name, "x", 1)


def test_a_wrong_or_unknown_encoding_does_no_harm() -> None:
    assert read_sgf("(;CA[ISO-8859-1]SZ[9]PB[Jürgen])".encode()).black == "Jürgen"
    assert read_sgf(b"(;CA[klingon]SZ[9]PB[J\xfcrgen])").black == "Jürgen"


@pytest.mark.parametrize(
    ("text", "komi"),
    [
        ("6.5", 6.5),
        ("6,5", 6.5),
        (" 7 ", 7),
        ("-3.5", -3.5),
        ("0", 0),
        ("650", 6.5),
        ("375", 7.5),
        ("275", 5.5),
        ("6.5 points", 6.5),
    ],
)
def test_komi(text: str, komi: float) -> None:
    assert read_sgf(f"(;SZ[9]KM[{text}])".encode()).komi == komi


def test_a_komi_in_powers_of_ten_is_not_half_read() -> None:
    record = read_sgf(b"(;SZ[9]KM[1e9])")
    assert record.komi == 0 and record.notes == ("komi '1e9' was not understood and taken as 0",)


def test_a_komi_that_is_no_number_is_reported() -> None:
    record = read_sgf(b"(;SZ[9]KM[none])")
    assert record.komi == 0
    assert record.notes == ("komi 'none' was not understood and taken as 0",)


@pytest.mark.parametrize(
    ("size", "expected"), [(b"", 19), (b"SZ[9]", 9), (b"SZ[ 13 ]", 13), (b"SZ[9:9]", 9), (b"SZ[25]", 25), (b"SZ[2]", 2)]
)
def test_sizes(size: bytes, expected: int) -> None:
    assert read_sgf(b"(;GM[1]" + size + b";B[aa])").size == expected


def test_setup_may_take_several_nodes_and_clear_points() -> None:
    record = read_sgf(b"(;SZ[9]AB[aa][bb][cc];AE[bb]AW[cc];PL[W]C[look];)")
    assert (record.black_setup, record.white_setup) == ((0,), (20,))
    assert record.game.to_move == WHITE
    assert record.handicap == 0
    assert record.root_comment == "look"


def test_missing_handicap_stones_are_put_on_the_usual_points() -> None:
    record = read_sgf(b"(;SZ[9]HA[2];W[ee])")
    assert [point_to_gtp(point, 9) for point in record.black_setup] == ["G7", "C3"]
    assert record.notes == ("the 2 handicap stones are not in the record; the usual points were taken",)


def test_a_game_may_go_on_after_two_passes() -> None:
    record = read_sgf(b"(;SZ[9];B[ee];W[];B[];W[aa])")
    assert len(record.moves) == 4
    assert record.notes == ("the game went on after two passes before move 4",)


# What is refused


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", r"it holds no SGF game; give a file that begins with '\(;'"),
        (b"hello", "it holds no SGF game"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "it holds no SGF game"),
        (b"(;SZ[9];B[ee];W[", r"it is damaged \(unexpected end of SGF data\)"),
        (b"(;SZ[9];B;W[aa])", r"it is damaged \(property with no values\)"),
        (b"(;SZ[9];B[ee];W[ee])", "move 2 is illegal: White cannot play E5: a stone is already there"),
        (b"(;SZ[9];B[ee];W[zz])", "move 2 is damaged: 'zz' is no SGF point of a 9x9 board"),
        (b"(;SZ[19:13];B[ee])", "its board is 19x13; only square boards are supported"),
        (b"(;SZ[26])", "board size 26 is not supported"),
        (b"(;SZ[1])", "board size 1 is not supported"),
        (b"(;SZ[x])", r"its board size SZ\[x\] is no number"),
        (b"(;SZ[" + b"9" * 5000 + b"])", "board size 999999999 is not supported"),
        (b"(;GM[2]SZ[9])", r"it is a record of another game \(GM\[2\]\)"),
        (b"(;SZ[9];B[aa];AW[bb])", "it changes stones by hand after move 1"),
        (b"(;SZ[9]AB[zz])", r"its setup stones are damaged \(a point off the board\); repair it"),
        (b"(;SZ[9]AB[aa:zz])", r"its setup stones are damaged \(a point off the board\); repair it"),
        (b"(;SZ[9]AB[ab][ba]AW[aa])", "the setup leaves the stones at A9 without a liberty"),
        (b"(;SZ[9]" + b";B[];W[]" * 6000 + b")", "10000 moves"),
    ],
)
def test_records_that_cannot_be_used(data: bytes, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        read_sgf(data)
    assert str(caught.value).startswith("cannot read the record: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_deep_nesting_is_no_danger() -> None:
    record = read_sgf(b"(;SZ[9]" + b"(;B[];W[]" * 500 + b")" * 501)
    assert len(record.moves) == 1000


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="cannot read .*nowhere.sgf: No such file or directory; check the file"):
        read_sgf(tmp_path / "nowhere.sgf")
    broken = tmp_path / "broken.sgf.gz"
    broken.write_bytes(gzip.compress(b"(;SZ[9];B[ee])" * 100)[:-20])
    with pytest.raises(UserError, match="cannot read .*broken.sgf.gz"):
        read_sgf(broken)
    monkeypatch.setattr(sgf_reader, "MAX_BYTES", 2**20)
    bomb = tmp_path / "bomb.sgf.gz"
    bomb.write_bytes(gzip.compress(b" " * 2**21))
    with pytest.raises(UserError, match="bomb.sgf.gz is larger than 1 MiB; split it"):
        read_sgf(bomb)


# Folders and collections


def test_a_folder_yields_its_games_and_counts_what_it_skips(tmp_path: Path) -> None:
    (tmp_path / "a.sgf").write_bytes(b"(;SZ[9];B[ee])")
    (tmp_path / "b.sgf").write_bytes(b"junk (;SZ[9];B[aa];W[aa]) more (;SZ[9];B[bb]) (;SZ[19];B[cc])\n(;SZ[9];B[dd];W[")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "c.SGF.GZ").write_bytes(gzip.compress(b"(;SZ[9];B[ff])(;SZ[9];B[gg])"))
    (tmp_path / "empty.sgf").touch()
    (tmp_path / "notes.txt").write_text("(;SZ[9];B[hh])")
    folder = read_folder(tmp_path, size=9)
    games = list(folder)
    assert [names(game) for game in games] == [["E5"], ["B8"], ["F4"], ["G3"]]
    assert [game.source for game in games] == [
        "a.sgf",
        "b.sgf game 2",
        os.path.join("deeper", "c.SGF.GZ"),
        os.path.join("deeper", "c.SGF.GZ game 2"),
    ]
    assert folder.read == 4
    assert [skipped.source for skipped in folder.skipped] == ["b.sgf", "b.sgf game 3", "b.sgf game 4", "empty.sgf"]
    assert "move 2 is illegal" in folder.skipped[0].reason
    assert folder.skipped[1].reason == "it is played on 19x19, not 9x9; it was left out"
    assert "it is damaged" in folder.skipped[2].reason
    assert "it holds no SGF game" in folder.skipped[3].reason
    assert len(list(folder)) == folder.read == 4, "it can be read again"


def test_one_file_serves_as_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "games.txt"
    path.write_bytes(b"(;SZ[9];B[ee])(;SZ[9];B[ff])")
    assert len(list(read_folder(path))) == 2
    assert read_sgf(path).notes == ("the file holds more games; the first was read",)


def test_folders_without_games(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no .sgf or .sgf.gz file; give a folder with SGF game records"):
        list(read_folder(tmp_path))
    with pytest.raises(UserError, match="is neither a folder nor a file"):
        list(read_folder(tmp_path / "nowhere"))
    (tmp_path / "a.sgf").write_bytes(b"(;SZ[19];B[ee])")
    with pytest.raises(UserError, match=r"no game in .* could be read \(1 skipped; a.sgf: it is played on 19x19"):
        list(read_folder(tmp_path, size=9))


def test_games_of_other_sizes_are_not_taken_for_damage(tmp_path: Path) -> None:
    (tmp_path / "a.sgf").write_bytes(b"(;SZ[19];B[ee])" * 50 + b"(;SZ[9];B[ee])")
    assert len(list(read_folder(tmp_path, size=9))) == 1


def test_a_file_that_keeps_failing_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "a.sgf").write_bytes(b"(;SZ[9];B[ee])" + b"(;C[" * 100_000)
    folder = read_folder(tmp_path)
    assert len(list(folder)) == 1
    assert len(folder.skipped) == sgf_reader.MAX_BROKEN_IN_A_ROW + 1
    assert folder.skipped[-1].reason == "20 games in a row were damaged; repair or split the file"


# Writing


@pytest.mark.parametrize(("size", "handicap"), [(5, 0), (9, 3), (19, 9), (21, 0), (25, 2)])
def test_written_games_come_back(size: int, handicap: int) -> None:
    game = GoGame(size, komi=6.5, handicap=handicap)
    for name in ("B2", "B1", "pass", "A2"):
        game.play(gtp_to_point(name, size))
    record = read_sgf(format_sgf(game))
    assert record.moves == tuple(game.history)
    assert (record.game.stones == game.stones).all()
    assert (record.game.initial_stones == game.initial_stones).all()
    assert set(record.game.handicap_stones) == set(game.handicap_stones)
    assert (record.komi, record.size, record.handicap, record.result) == (6.5, size, handicap, "")
    assert record.game.to_move == game.to_move


def test_setup_positions_come_back() -> None:
    game = GoGame(9)
    game.place_stones([0, 1], [80], to_move=WHITE)
    record = read_sgf(format_sgf(game))
    assert (record.game.stones == game.stones).all()
    assert record.game.to_move == WHITE
    assert record.handicap == 0


def test_texts_come_back_whatever_they_hold(tmp_path: Path) -> None:
    comment = "win ] 53 %\\ : ; (\nsecond line"
    game = GoGame(9)
    game.play(40)
    game.resign()
    path = write_sgf(
        game, tmp_path / "game.sgf", black="Ä]\\", white="白", date="2024-01-02", event="cup", root_comment="go",
        comments=[comment, "beyond the end"],
    )  # fmt: skip
    record = read_sgf(path)
    assert (record.black, record.white, record.date, record.root_comment) == ("Ä]\\", "白", "2024-01-02", "go")
    assert record.comments == (comment,)
    assert (record.result, record.rules) == ("B+R", "Chinese")
    format_sgf(game, black="\udcff", result="Void")  # a name from a command line in another encoding


def test_the_result_can_be_given() -> None:
    assert read_sgf(format_sgf(GoGame(9), result="W+0.5", rules="")).result == "W+0.5"


def test_writing_replaces_whole_files_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "game.sgf"
    write_sgf(GoGame(9), path)
    first = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    game = GoGame(9)
    game.play(3)
    with pytest.raises(UserError, match="cannot write .*game.sgf: No space left on device; choose another"):
        write_sgf(game, path)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == ["game.sgf"]


def test_writing_to_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot write .*: No such file or directory"):
        write_sgf(GoGame(9), tmp_path / "nowhere" / "game.sgf")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("file/game.sgf", "Not a directory; choose another name or place"),
        ("n" * 300 + ".sgf", "File name too long; choose another name or place"),
        ("folder", "Is a directory; choose another name or place"),
        ("zero\0byte", "choose another name or place"),
    ],
    ids=["a file as folder", "a long name", "a folder", "a zero byte"],
)
def test_places_that_take_no_file(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=f"cannot write .*{reason}"):
        write_sgf(GoGame(9), tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_path_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"cannot write \.: it is a folder; give the name of an SGF file in it"):
        write_sgf(GoGame(9), Path("."))
    with pytest.raises(UserError, match=r"cannot write \.\."):
        write_sgf(GoGame(9), "..")
    assert not list(tmp_path.iterdir())


def test_a_name_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".sgf")
    write_sgf(GoGame(9), path)
    assert list(tmp_path.iterdir()) == [path]
