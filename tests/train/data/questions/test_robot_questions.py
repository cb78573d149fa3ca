"""Questions about tabletops: what is said against the scene's numbers, masks against what is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from train.data.questions import robot_questions
from train.data.questions.calvin_scenes import PlayTables
from train.data.questions.question import SLOT
from train.data.questions.rlbench_scenes import Theatres
from train.data.questions.splits import Draw
from train.data.questions.tabletops import Attribute, State, Tabletop, Unclear, Use

pytest.importorskip("pybullet", reason="the simulator (extra robots) is not installed")

RGB = {"red": (214, 30, 34), "blue": (26, 54, 214), "pink": (226, 40, 206)}


def top_of(**columns: int) -> Tabletop:
    """A picture with one 5 px square a name, at that column."""
    top = Tabletop(np.zeros((40, 100, 3), np.uint8), "made")
    for name, column in columns.items():
        mask = np.zeros((40, 100), np.bool_)
        mask[10:15, column : column + 5] = True
        top.add(name, mask)
    return top


def test_left_and_right_are_those_of_the_picture() -> None:
    top = top_of(cup=5, ball=70, box=30)
    assert [top.beside("cup", "box"), top.beside("ball", "box"), top.beside("cup", "ball")] == ["left", "right", "left"]
    near = top_of(cup=5, ball=9)
    assert near.beside("cup", "ball") is None, "not clear"
    top.movable, top.anchors, top.movable_words = ("cup", "ball"), ("box",), ("thing", "things")
    answers = set()
    for seed in range(60):
        made = robot_questions.beside(top, Draw(np.random.default_rng(seed), "validation"))
        assert made is not None
        answers.add(made.answer)
        if SLOT in made.answer:
            side = "left" if "left" in made.question else "right"
            assert made.targets[0][0] == ("the cup" if side == "left" else "the ball")
    assert f"The only thing to the left of the box is the cup {SLOT}." in answers
    assert "There is 1 thing to the right of the box." in answers
    nearest = [robot_questions.nearest(top, Draw(np.random.default_rng(seed), "train")) for seed in range(5)]
    assert all(made is not None and made.targets[0][0] == "the cup" for made in nearest), "25 px away, not 40"


def test_training_asks_for_the_sides_of_other_things_too() -> None:
    """Of kinds that are no movable things, and of things that do not move: so no held-out combination is asked for."""
    top = top_of(cup=5, ball=80, box=40, handle=60)
    top.add("door handle", top.things.pop("handle").mask)
    top.movable, top.anchors, top.movable_words = ("cup",), ("box", "ball"), ("cup", "cups")
    top.kind("cup", "cups", ("cup",))
    top.kind("handle", "handles", ("door handle",))
    top.kind("thing to press", "things to press", ("ball",))
    asked: dict[str, set[str]] = {"train": set(), "test": set()}
    for split, questions in asked.items():
        for seed in range(200):
            for family in (robot_questions.beside, robot_questions.on_side):
                made = family(top, Draw(np.random.default_rng(seed), split))
                questions.update({made.answer} if made else ())
    moved = {answer for answer in asked["train"] if "cups" in answer or "only cup" in answer or ", the cup" in answer}
    assert moved <= asked["test"] and not any("handle" in answer for answer in asked["test"])
    assert f"The only handle to the right of the box is the door handle {SLOT}." in asked["train"]
    assert "There are no handles to the right of the ball." in asked["train"]
    assert "Yes, the door handle is to the left of the ball." in asked["train"]
    assert not any("things to press" in answer for answer in asked["train"]), "that would say of what it is the side"


def test_targets_come_from_left_to_right_and_do_not_overlap() -> None:
    top = top_of(cup=50, ball=5, box=30, lid=32)
    for seed in range(40):
        made = robot_questions.several(top, Draw(np.random.default_rng(seed), "train"))
        assert made is not None
        middles = [float(np.nonzero(mask)[1].mean()) for _, mask in made.targets]
        assert middles == sorted(middles) and 2 <= len(middles) <= 3
        assert np.sum([mask for _, mask in made.targets], axis=0).max() == 1, "box and lid overlap"


def test_places_are_the_middles_of_what_is_asked_about() -> None:
    top = top_of(bottle=5, lamp=70, box=30)
    full = State(("Is it full?",), True, "Yes.", "No.", things=("bottle", "lid"))
    top.states = [full, State(("Is it late?",), True, "Yes.", "No.")]
    top.movable, top.anchors = ("bottle", "lamp"), ("box",)
    bottle, lamp, box = ((column + 2.5, 12.5) for column in (5, 70, 30))
    found = set()
    for seed in range(60):
        for family in (robot_questions.several, robot_questions.on_side, robot_questions.state):
            made = family(top, Draw(np.random.default_rng(seed), "validation"))
            assert made is not None
            places = robot_questions.finish(top, made, "train").places
            found.add((made.family, None if places is None else tuple(map(tuple, places.tolist()))))
    assert ("state", (bottle,)) in found and ("state", None) in found
    assert {("side", (bottle, box)), ("side", (box, lamp))} <= found
    assert ("several", (bottle, box, lamp)) in found


def test_what_is_hardly_seen_is_no_thing() -> None:
    top = top_of(cup=50)
    small = np.zeros((40, 100), np.bool_)
    small[0, :3] = True
    top.add("crumb", small)
    assert set(top.things) == {"cup"}
    with pytest.raises(Unclear, match="crumb"):
        top.add("crumb", small, must=True)
    top.add("ghost", np.zeros((40, 100), np.bool_), must=True)
    top.kind("vessel", "vessels", ("cup", "ghost"))
    assert top.kinds[0].members == ("cup",)


def test_states_attributes_and_uses_are_worded_as_the_scene_says() -> None:
    top = top_of(switch=20)
    top.states.append(State(("Is it on?",), True, "Yes, it is on.", "No, it is off."))
    top.attributes.append(Attribute(("Show its state.",), "switch", "The {} is on."))
    top.uses += [Use(("get light",), "press", "switch", "Press the {}."), Use(("fly",), "use", "wings", "Use the {}.")]
    draw = Draw(np.random.default_rng(0), "train")
    state, attribute, use = (
        make(top, draw) for make in (robot_questions.state, robot_questions.attribute, robot_questions.use)
    )
    assert state is not None and (state.question, state.answer, state.targets) == ("Is it on?", "Yes, it is on.", ())
    assert attribute is not None and attribute.answer == f"The switch {SLOT} is on."
    assert use is not None and "get light" in use.question and use.answer == f"Press the switch {SLOT}."


@pytest.fixture(scope="module")
def tables() -> list[Tabletop]:
    return [PlayTables().draw(np.random.default_rng(seed), "train") for seed in range(12)]


def test_blocks_have_the_colour_of_their_name(tables: list[Tabletop]) -> None:
    blocks = 0
    for top in tables:
        for colour in RGB:
            if f"{colour} block" in top.things:
                blocks += 1
                shown = top.image[top.things[f"{colour} block"].mask].astype(float).mean(0)
                distances = {
                    name: np.linalg.norm(shown / shown.max() - np.array(own) / max(own)) for name, own in RGB.items()
                }
                assert min(distances, key=distances.__getitem__) == colour
    assert blocks > 20


def test_lights_and_drawers_are_as_they_look(tables: list[Tabletop]) -> None:
    told = {True: 0, False: 0}
    for top in tables:
        lit = next(state.truth for state in top.states if state.yes == "Yes, the LED is on.")
        red, green, blue = top.image[top.things["LED"].mask].astype(float).mean(0)
        assert (green > 1.5 * max(red, blue)) == lit
        told[lit] += 1
        opened = next(state.truth for state in top.states if state.yes == "Yes, the drawer is open.")
        assert (top.things["drawer"].mask.sum() > 4 * top.things["drawer handle"].mask.sum()) == opened
    assert min(told.values()) > 0


def test_a_scene_depends_on_its_generator_alone() -> None:
    for scenes in (PlayTables(), Theatres()):
        first = scenes.draw(np.random.default_rng(3), "train")
        scenes.draw(np.random.default_rng(4), "train")
        again = scenes.draw(np.random.default_rng(3), "train")
        assert np.array_equal(first.image, again.image) and first.things.keys() == again.things.keys()
        assert all(np.array_equal(first.things[name].mask, again.things[name].mask) for name in first.things)


def test_rlbench_scenes_name_their_parts() -> None:
    seen = {}
    for seed in range(40):
        top = Theatres().draw(np.random.default_rng(seed), "train")
        assert top.image.shape == (192, 192, 3) and "robot arm" in top.things
        for name, own in top.things.items():
            seen[name] = own
        for whole, part in (
            ("microwave", "microwave door"),
            ("lamp", "bulb"),
            ("laptop", "screen"),
            ("toilet", "tank"),
        ):
            if part in top.things:
                assert not (top.things[part].mask & ~top.things[whole].mask).any()
        for use in top.uses:
            assert "{}" in use.answer
    assert {
        "lid",
        "box",
        "laptop",
        "bulb",
        "button cap",
        "toilet seat",
        "top drawer",
        "microwave",
        "upper door",
    } <= set(seen)
