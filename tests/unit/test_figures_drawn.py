"""Figures: what they say, and that the same data give the same bytes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from counterwarp.explain import OF_INTENSITY, methods
from counterwarp.figures.adversarial import (
    Moved,
    ScanChange,
    draw_displacement,
    films_figure,
    in_plane,
    scan_figure,
    toy_figure,
    training_figure,
)
from counterwarp.figures.anatomy import Volume, at, strongest
from counterwarp.figures.classifier import classifier_figure, roc_curve
from counterwarp.figures.cohort import cohort_figure, cohort_table
from counterwarp.figures.group import UNITS, group_figure, nice
from counterwarp.figures.logits import logits_figure
from counterwarp.figures.longitudinal import longitudinal_figure
from counterwarp.figures.regions import regions_figure
from counterwarp.figures.style import figure, p_text, percent, save
from counterwarp.figures.subjects import Arrays, choose, subject_figures
from counterwarp.stats.intervals import score_splits, with_log_odds
from counterwarp.stats.verdict import verdict
from PIL import Image

SHAPE = (10, 12, 9)
AFFINE = np.diag([5.0, 5, 5, 1])


def texts(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def colour_ranges(figure) -> set:
    images = [image for axes in figure.axes for image in axes.images]
    coloured = ("RdBu_r", "PuOr_r", "PiYG_r", "viridis")
    return {(image.cmap.name, *image.get_clim()) for image in images if image.cmap.name in coloured}


def test_percent_is_of_volume():
    assert percent(np.log(np.array([0.5, 1, 1.2]))) == pytest.approx([-50, 0, 20])


def test_roc_curve_by_hand():
    false, true = roc_curve(np.array([3.0, 1, 2, 0]), np.array([True, True, False, False]))
    assert false.tolist() == [0, 0, 0.5, 0.5, 1, 1]
    assert true.tolist() == [0, 0.5, 0.5, 1, 1, 1]


def test_a_volume_is_turned_to_right_front_top():
    flipped = np.diag([-5.0, 5, 5, 1])
    data = np.zeros(SHAPE)
    data[0] = 1  # the rightmost plane, at x = 0
    volume = Volume.of(data, flipped)
    pixels, extent = volume.slice_at("coronal", 10)
    assert pixels[:, -1].min() == 1 and pixels[:, :-1].max() == 0
    assert extent == [-47.5, 2.5, -2.5, 42.5]
    with pytest.raises(IndexError, match="outside"):
        volume.slice_at("sagittal", 40)


def test_slices_are_found_in_millimetres():
    mask = np.zeros(SHAPE)
    mask[2:7, 3:10, 1:8] = 1
    brain = Volume.of(mask, AFFINE)
    assert at(brain, "coronal", 0.5) == 30
    values = np.zeros(SHAPE)
    values[4, 5, 6] = -3
    assert [strongest(Volume.of(values, AFFINE), brain, plane) for plane in ("sagittal", "coronal", "axial")] == [
        20,
        25,
        30,
    ]


def test_the_range_of_a_map_is_a_round_number():
    assert [nice(value) for value in (0, 0.0021, 0.9, 1, 31, 76)] == pytest.approx([1, 0.003, 1, 1, 50, 100])


def test_p_values_read_as_in_papers():
    assert (p_text(0.00001), p_text(0.0123), p_text(0.456, "q")) == ("p < 0.001", "p = 0.012", "q = 0.46")


@pytest.fixture
def brain():
    rng = np.random.default_rng(0)
    mask = np.zeros(SHAPE, dtype=bool)
    mask[1:-1, 1:-1, 1:-1] = True
    return rng, mask


def test_the_group_map_and_the_truth_share_a_range_centred_on_zero(brain, tmp_path):
    rng, mask = brain
    values, truth = rng.normal(size=(2, *SHAPE)) * 0.1
    template = rng.random(SHAPE)
    for copy in "ab":
        drawn = group_figure({"cycle": values}, truth, template, mask, AFFINE)
        save(drawn, tmp_path / f"{copy}.png", tmp_path / f"{copy}.pdf")
    ((name, low, high),) = colour_ranges(drawn)
    assert name == "RdBu_r" and low == -high
    assert f"±{high:g} %" in texts(drawn) and "Tissue volume" in texts(drawn) and "true" in texts(drawn)
    for kind in ("png", "pdf"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_a_saliency_map_is_not_called_a_change_of_volume(brain):
    rng, mask = brain
    drawn = group_figure({"backprop": rng.normal(size=SHAPE)}, None, rng.random(SHAPE), mask, AFFINE)
    assert "Gradient of the logit" in texts(drawn) and "%" not in texts(drawn)


def test_every_saliency_method_has_its_unit_and_its_own_range(brain):
    assert set(UNITS) == set(methods("saliency")) | OF_INTENSITY
    rng, mask = brain
    maps = {"cycle": rng.normal(size=SHAPE) * 0.1, "backprop": rng.normal(size=SHAPE), "cycle_bce": np.zeros(SHAPE)}
    drawn = group_figure(maps, np.zeros(SHAPE), rng.random(SHAPE), mask, AFFINE)
    # Three changes of volume in one range, a gradient in another.
    assert len(colour_ranges(drawn)) == 2
    assert all(name in texts(drawn) for name in ("cycle", "cycle_bce", "backprop", "true"))


def test_subjects_share_range_and_slices(brain):
    rng, mask = brain
    logits = pd.DataFrame({"row": [0, 1, 2], "scan": ["a", "b", "c"], "group": ["control", "patient", "patient"]})
    logits = logits.assign(raw=[-2.0, 1, 3], simulated=[2.0, -1, -3])
    images, simulated, maps, truth = rng.normal(size=(4, 3, *SHAPE)) * 0.1
    arrays = Arrays(images.astype(np.float16), simulated.astype(np.float16), maps, truth, mask, AFFINE)
    drawn = list(subject_figures(logits, arrays))
    assert [subject.scan for subject, _ in drawn] == ["a", "b", "c"]
    ranges = [{found for found in colour_ranges(figure) if found[0] == "RdBu_r"} for _, figure in drawn]
    assert ranges[0] == ranges[1] == ranges[2] and len(ranges[0]) == 1
    assert "simulated as patient\nlogit +2.0" in texts(drawn[0][1])
    assert "simulated as control\nlogit -3.0" in texts(drawn[2][1])


def test_chosen_subjects_span_their_group():
    logits = pd.DataFrame(
        {"scan": list("abcdefg"), "group": ["control"] * 5 + ["patient"] * 2, "raw": [3, 1, 2, 5, 4, 1, 0]}
    )
    assert choose(logits) == ["b", "a", "d", "g", "f"]


def test_regions_say_their_statistics():
    adjusted = pd.DataFrame({"scan": list("abcd"), "region": "hippocampus_L", "group": ["control", "patient"] * 2})
    regions = pd.DataFrame(
        {
            "region": ["hippocampus_L"],
            "tissue": ["GM"],
            "affected": [-1],
            "n": [4],
            "t": [-3.456],
            "p": [0.0004],
            "q": [0.012],
        }
    ).assign(effect=-1.5, low=-2.25, high=-0.001)
    drawn = regions_figure(adjusted.assign(volume_ml=[3.0, 2, 3.1, 2.2]), regions, ["age", "sex"], "in SRI24")
    said = texts(drawn)
    assert "t = -3.46, p < 0.001, q = 0.012\nd = -1.50 [-2.25, 0.00]" in said
    assert "corrected for age and sex" in said and "Volume (ml)" in said and "shrinks in truth" in said


def test_of_many_regions_those_with_the_smallest_p_are_drawn():
    names = [f"region_{i}" for i in range(14)]
    adjusted = pd.DataFrame([(name, group, 1.0) for name in names for group in ("control", "patient")])
    adjusted.columns = ["region", "group", "volume_ml"]
    regions = pd.DataFrame(
        {"region": names, "tissue": "GM", "n": 2, "t": 1.0, "p": np.linspace(0.9, 0.1, 14), "q": 1.0}
    )
    said = texts(
        regions_figure(adjusted, regions.assign(affected=np.nan, effect=0.0, low=0.0, high=0.0), [], "in MNI152")
    )
    assert "12 of 14 regions" in said and "region 2 (GM)" in said and "region 1 (GM)" not in said
    first = regions_figure(
        adjusted, regions.assign(affected=np.nan, effect=0.0, low=0.0, high=0.0), [], "in SRI24", ["region_0"]
    )
    said = texts(first)
    assert "region 0 (GM)" in said and "region 3 (GM)" in said and "region 2 (GM)" not in said


def test_classifier_and_logits_name_their_axes():
    logits = pd.DataFrame({"seed": 1, "split": "test", "subject": list("abcd"), "scan": list("abcd")})
    logits = logits.assign(group=["control", "control", "patient", "patient"], logit=[-1.0, 0.5, 2, 3])
    logits = with_log_odds(logits.assign(fold="all"))
    drawn = classifier_figure(logits, score_splits(logits), verdict(logits))
    assert "AUC 1.00" in texts(drawn) and "Sensitivity" in texts(drawn)
    baselines = pd.DataFrame({"model": ["image"], "metric": ["auc"], "value": [0.7], "low": [0.5], "high": [0.9]})
    drawn = classifier_figure(logits, score_splits(logits), verdict(logits), baselines)
    assert "PCA of the same images" in texts(drawn) and "0.70 [0.50, 0.90]" in texts(drawn)
    moved = logits.assign(method="cycle", raw=logits["logit"], simulated=-logits["logit"], cycled=logits["logit"])
    drawn = logits_figure(moved, logits.set_index("scan")["group"].to_dict())
    assert "Logit (positive: patient)" in texts(drawn)
    assert drawn.axes[1].lines[0].get_ydata().tolist() == [2, 3]


def test_a_warning_stands_above_a_figure(tmp_path):
    sizes = []
    for warning in ("", "The classifier does not tell patients from controls: its maps explain no disease."):
        drawn = figure(4, 2)
        drawn.subplots().plot([0, 1])
        save(drawn, tmp_path / "a.png", tmp_path / "a.pdf", warning)
        with Image.open(tmp_path / "a.png") as picture:
            sizes.append(picture.size)
    assert sizes[1][1] > sizes[0][1] + 30


def test_the_cohort_is_counted_by_subject():
    scans = pd.DataFrame({"scan": list("abc"), "subject": ["1", "1", "2"], "group": ["control", "control", "patient"]})
    scans = scans.assign(
        age=[70.0, 72, 80], sex=["F", "F", "M"], split=["train", "train", "test"], baseline=[True, False, True]
    )
    table = cohort_table(scans).set_index(["group", "split"])
    assert table.loc[("control", "all"), ["subjects", "scans", "women", "scanned again"]].to_list() == [1, 2, 1, 1]
    assert table.loc[("patient", "train"), "age"] == ""
    assert "Age at baseline (years)" in texts(cohort_figure(scans))


def test_the_spread_over_seeds_is_drawn_below_its_map_from_zero(brain):
    rng, mask = brain
    values = rng.normal(size=SHAPE) * 0.1
    drawn = group_figure({"cycle": values}, values, rng.random(SHAPE), mask, AFFINE, {"cycle": np.abs(values)})
    assert "cycle, sd" in texts(drawn) and "sd over seeds" in texts(drawn) and "(% of volume), 0 to" in texts(drawn)
    assert {name: low for name, low, _ in colour_ranges(drawn)}["viridis"] == 0


def test_what_is_significant_is_outlined_in_its_row_only(brain):
    from matplotlib.contour import QuadContourSet

    rng, mask = brain
    maps = {"cycle": rng.normal(size=SHAPE) * 0.1, "tbm": rng.normal(size=SHAPE) * 0.1}
    region = np.zeros(SHAPE, bool)
    region[: SHAPE[0] // 2] = True
    drawn = group_figure(maps, None, rng.random(SHAPE), mask, AFFINE, regions={"cycle": region, "tbm": region & False})
    outlined = [any(isinstance(part, QuadContourSet) for part in axes.collections) for axes in drawn.axes[:12]]
    assert outlined == [True] * 6 + [False] * 6


def disease_of_a_scan():
    """A scan in which one place goes 2 voxels to the right: pulled back, the displacement there is -2 along x."""
    rng = np.random.default_rng(2)
    shape = (20, 24, 18)
    away = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    mask = np.linalg.norm(away, axis=0) < 0.9
    place = np.exp(-sum((axis - at) ** 2 for axis, at in zip(np.indices(shape), (12, 9, 6), strict=True)) / 8)
    displacement = np.stack([-2 * place, np.zeros(shape), np.zeros(shape)])
    changes = {"defigan": place, "vagan": -place}
    affine = np.diag([2.0, 2, 2, 1])
    return ScanChange("sub-1", mask * (1 + 0.2 * rng.random(shape)), mask, changes, displacement, affine)


def test_a_scan_is_shown_in_three_planes_with_both_methods_and_arrows_in_mm(tmp_path):
    drawn = scan_figure(disease_of_a_scan())
    save(drawn, tmp_path / "scan.png", tmp_path / "scan.pdf")
    said = texts(drawn)
    for name in ("sagittal, x = 24 mm", "coronal, y = 18 mm", "axial, z = 12 mm", "DeFI-GAN", "VA-GAN"):
        assert name in said
    assert "crop:\narrows 5 times as long, one every 1" in said and "(mm), 0 to 4" in said and "green: darker" in said
    ranges = [found for found in colour_ranges(drawn) if found[0] == "PiYG_r"]
    assert ranges and all(low == -high for _, low, high in ranges)
    without = replace(disease_of_a_scan(), changes={"vagan": np.ones((20, 24, 18))}, displacement=None)
    assert "arrows" not in texts(scan_figure(without))


def test_films_are_shown_with_every_method_and_the_arrows_of_each_that_warps(tmp_path):
    rng = np.random.default_rng(1)
    images = rng.random((2, 24, 24))
    changes = {method: 1e-6 * rng.normal(size=images.shape) for method in ("cycle", "defigan", "vagan")}
    displacements = {method: rng.normal(size=(2, 24, 24)) for method in ("cycle", "defigan")}
    drawn = films_figure(images, ["sub-001_ses-20140301", "sub-002"], changes, displacements)
    save(drawn, tmp_path / "films.png", tmp_path / "films.pdf")
    said = texts(drawn)
    for words in ("CondConv takes the disease", "DeFI-GAN takes the disease", "VA-GAN", "sub-001_ses-20140301", "e-06"):
        assert words in said
    assert "VA-GAN takes" not in said
    drawn.draw_without_rendering()
    inside = drawn.get_window_extent()
    for axes in drawn.findobj(lambda part: hasattr(part, "get_ylabel")):
        extent = axes.yaxis.label.get_window_extent()
        assert not axes.get_ylabel() or (inside.x0 <= extent.x0 and extent.x1 <= inside.x1)


def history(chosen: int) -> pd.DataFrame:
    """Of three validations of a generator's training."""
    values = {"update": [20, 40, 60], "distance": [3.0, 2.0, 1.0], "validation_distance": [2.5, 1.5, 2.0]}
    values |= {"penalty": 0.1, "regulariser": 0.2, "validation_regulariser": 0.3, "validation_ncc": [0.1, 0.4, 0.3]}
    return pd.DataFrame(values).assign(chosen=[number == chosen for number in range(3)])


def test_training_curves_of_every_method_and_seed_mark_the_generator_that_was_taken(tmp_path):
    drawn = training_figure({"defigan": [history(1), history(2)], "vagan": [history(1)]})
    save(drawn, tmp_path / "training.png", tmp_path / "training.pdf")
    said = texts(drawn)
    for words in ("DeFI-GAN", "VA-GAN", "Critic's distance", "Penalty", "NCC, validation", "dot: taken"):
        assert words in said
    dots = {
        axes.get_ylabel(): [tuple(line.get_xydata()[0]) for line in axes.lines if line.get_marker() == "o"]
        for axes in drawn.axes[::2]
    }
    # The distance is marked where it was judged, on validation subjects.
    assert dots["Critic's distance\nE D(x0^) - E D(x0)"] == [(40, 1.5), (60, 2.0)]
    assert dots["NCC, validation"] == [(40, 0.4), (60, 0.3)]


def test_the_toy_is_shown_with_its_truth_the_displacement_and_the_ceiling():
    rng = np.random.default_rng(1)
    images, truth = rng.random((2, 24, 24)), rng.normal(size=(2, 24, 24))
    row = {"level": "subject", "metric": "ncc", "low": 0.4, "high": 0.8, "n": 3, "sd": 0.1}
    table = pd.DataFrame(
        [
            row | {"method": method, "seed": seed, "mean": ncc}
            for method, ncc in (("defigan", 0.7), ("vagan", 0.5), ("ceiling", 0.88))
            for seed in ("1", "2", "all")
        ]
    )
    drawn = toy_figure(
        images, truth, {"defigan": truth, "vagan": -truth}, rng.normal(size=(2, 24, 24)), table, ["defigan", "vagan"]
    )
    said = texts(drawn)
    for words in ("true", "DeFI-GAN takes the disease", "VA-GAN", "(pixels), 0 to", "green: darker"):
        assert words in said
    assert all(low == -high for name, low, high in colour_ranges(drawn) if name == "PiYG_r")


def test_pairs_are_shown_against_the_true_change_only_where_it_is_known():
    pairs = pd.DataFrame(
        {"method": ["defigan", "vagan"], "later": "a", "split": "test", "ncc": [0.3, 0.2], "ncc_true": [0.6, 0.4]}
    ).assign(ncc_limit=0.5)
    methods = pd.DataFrame({"method": ["defigan", "vagan"], "mean": [0.3, 0.2], "subjects": 5})
    methods = methods.assign(low=[0.2, 0.1], high=[0.4, 0.3])
    known = longitudinal_figure(pairs, methods)
    said = texts(known)
    assert "(NCC of both 0.50)" in said and "NCC of predicted and true change" in said and "Test subjects: 5" in said
    # Both points lie where noise that no method knows would put them.
    line = next(line for line in known.axes[1].lines if line.get_linestyle() == "--")
    assert line.get_slope() == 2
    assert len(longitudinal_figure(pairs.drop(columns=["ncc_true", "ncc_limit"]), methods).axes) == 1


def test_the_displacement_in_a_plane_points_down_and_to_the_right():
    field = np.zeros((3, 4, 5, 6))
    field[:, 1, 2, 3] = 7, 8, 9
    # Rows run from the top: z = 3 of 0 to 5 is row 2, y = 2 of 0 to 4 is row 2.
    np.testing.assert_array_equal(in_plane(field, 0, (1, 2, 3))[:, 2, 2], [-9, 8])
    np.testing.assert_array_equal(in_plane(field, 1, (1, 2, 3))[:, 2, 1], [-9, 7])
    np.testing.assert_array_equal(in_plane(field, 2, (1, 2, 3))[:, 2, 1], [-8, 7])


def test_longer_arrows_keep_their_middle():
    displacement = np.zeros((2, 8, 8))
    displacement[:, 1, 1] = 2, 0
    part = figure(4, 4)
    draw_displacement(part, [Moved("", np.eye(8), displacement)], spacing=2, longer=5, pixel=2.0, unit="mm")
    arrows = part.axes[0].collections[0]
    first = next(zip(arrows.X, arrows.Y, arrows.U, arrows.V, arrows.get_array(), strict=True))
    # From row 3 to row 1 true to scale, whose middle is row 2; five times as long from row 7 to row -3.
    # Two pixels are 4 mm.
    np.testing.assert_allclose(first, [1, 7, 0, -10, 4])
