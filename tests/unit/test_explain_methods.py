"""Every method explains in the disease's direction and in the scan's own frame; what is written says so."""

import json
from functools import partial

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from counterwarp.errors import ConfigError
from counterwarp.explain import METHODS, build, methods
from counterwarp.explain.outputs import export_scans, write_displacement, write_simulation
from counterwarp.networks.classifier import Classifier
from counterwarp.networks.generator import Generator
from counterwarp.networks.simulator import Simulator, TwoSimulators
from counterwarp.networks.warp import identity, integrate
from torch import nn

GRID = (20, 24, 18)
FACTOR = 1.25


class Linear(nn.Module):
    """logit = sum of weight * image."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, images):
        return (images[:, 0] * self.weight).flatten(1).sum(1)


class Ball(nn.Module):
    """A simulator that widens the ball at the centre of an image by FACTOR to inject, and narrows it to remove."""

    output = "displacement"

    def forward(self, images, task):
        points = identity(images.shape[2:], images)
        centre = torch.tensor([(n - 1) / 2 for n in images.shape[2:]]).reshape(1, -1, 1, 1, 1)
        radius = (points - centre).square().sum(1, keepdim=True).sqrt()
        fade = torch.clamp((9 - radius) / 3, 0, 1)
        factor = torch.where(task == 0, 1 / FACTOR, FACTOR).reshape(-1, 1, 1, 1, 1)
        return (factor - 1) * (points - centre) * fade


def ball(radius):
    points = identity(torch.Size(GRID), torch.zeros(1))
    centre = torch.tensor([(n - 1) / 2 for n in GRID]).reshape(1, -1, 1, 1, 1)
    return ((points - centre).square().sum(1).sqrt() < radius)[0]


def simulator_for(name, grid, **settings):
    if METHODS[name] == "generator":
        return Generator(grid, (2, 3), output="image" if name == "vagan" else "displacement")
    kind = TwoSimulators if name == "cycle_two_encoders" else Simulator
    return kind(grid=grid, channels=(2, 3), fully_connected=4, experts=2, **settings)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_one_finite_map_per_image_on_any_grid(name):
    torch.manual_seed(1)
    for grid in [(8, 10), (8, 10, 9)]:
        classifier, simulator = Classifier(grid, (2,), 3, 0.0), simulator_for(name, grid)
        explainer = build(name, classifier, simulator)
        images, groups = torch.randn(11, 1, *grid), torch.arange(11.0) % 2
        maps = explainer.explain(images, groups)
        assert maps.shape == (11, *grid)
        assert maps.isfinite().all()
        # Images of a batch must not mix, and no batch must be lost or repeated.
        torch.testing.assert_close(explainer.explain(images[9:10], groups[9:10]), maps[9:10], atol=1e-5, rtol=1e-4)


def test_an_unknown_method_lists_the_known_ones():
    with pytest.raises(ConfigError, match="'gradcan' is not known; the methods are backprop, cycle, cycle_bce, "):
        build("gradcan", None)
    assert methods("simulator") == [name for name in METHODS if name.startswith("cycle")]
    assert methods("generator") == ["defigan", "vagan"]
    assert methods("saliency")[:2] == ["backprop", "guided_backprop"]


def test_the_gradient_of_a_linear_classifier_is_its_weight_with_its_sign():
    weight = torch.randn(6, 7)
    maps = build("backprop", Linear(weight)).explain(torch.randn(10, 1, 6, 7), torch.zeros(10))
    torch.testing.assert_close(maps, weight.expand(10, 6, 7))


def test_both_groups_show_the_disease_s_expansion_in_their_own_frame():
    """Disease widens a ball. A control's map says how its ball would grow, a patient's how its ball has grown."""
    classifier = Linear(torch.ones(GRID))
    images = torch.stack([ball(4), ball(5)]).float()[:, None]
    simulation = build("cycle", classifier, Ball()).simulate(images, torch.tensor([0.0, 1.0]))
    for i, inside in enumerate((ball(3), ball(4))):
        values = simulation.maps[i][inside]
        torch.testing.assert_close(values, torch.full_like(values, 3 * np.log(FACTOR)), atol=1e-3, rtol=0)
    # The control's image gains bright voxels, the patient's loses them; and each comes back.
    assert simulation.simulated_logit[0] > simulation.raw_logit[0] * 1.7
    assert simulation.simulated_logit[1] < simulation.raw_logit[1] / 1.7
    torch.testing.assert_close(simulation.cycled_logit, simulation.raw_logit, rtol=0.15, atol=0)
    assert not simulation.folded.any()


def test_a_network_that_makes_images_is_read_as_the_change_of_intensity_towards_the_disease():
    simulator = simulator_for("cycle", (8, 8), output="image").eval()
    images, groups = torch.randn(2, 1, 8, 8), torch.tensor([0.0, 1.0])
    simulation = build("cycle", Linear(torch.ones(8, 8)), simulator).simulate(images, groups)
    torch.testing.assert_close(simulation.maps[0], simulation.simulated[0] - images[0, 0])
    torch.testing.assert_close(simulation.maps[1], images[1, 0] - simulation.simulated[1])
    assert not simulation.displacement.any()
    assert not simulation.folded.any()


class Narrower(nn.Module):
    """A generator that narrows the ball at the centre of any image by FACTOR."""

    output, fill = "displacement", 0.0

    def forward(self, images):
        return Ball()(images, torch.ones(len(images)))


def test_a_generator_takes_the_disease_out_of_both_groups_and_the_map_says_what_it_had_done():
    images = torch.stack([ball(5), ball(5)]).float()[:, None]
    removal = build("defigan", Linear(torch.ones(GRID)), Narrower()).simulate(images, torch.tensor([0.0, 1.0]))
    for values in removal.maps[:, ball(4)]:
        torch.testing.assert_close(values, torch.full_like(values, 3 * np.log(FACTOR)), atol=1e-3, rtol=0)
    assert (removal.simulated_logit < removal.raw_logit / 1.7).all()
    # What the disease added is bright.
    assert removal.change.sum() > 0
    torch.testing.assert_close(removal.change, images[:, 0] - removal.simulated)


def test_an_additive_generator_is_read_as_the_change_of_intensity_by_the_disease():
    generator = Generator((8, 8), (2, 3), output="image", output_scale=3.0).eval()
    images = torch.randn(2, 1, 8, 8)
    removal = build("vagan", Linear(torch.ones(8, 8)), generator).simulate(images, torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(removal.maps, -generator(images)[:, 0].detach())
    torch.testing.assert_close(removal.maps, removal.change)
    assert not removal.displacement.any()
    assert not removal.folded.any()


def test_a_velocity_s_map_is_that_of_its_flow():
    simulator = simulator_for("cycle", (8, 9, 10), output="velocity").eval()
    torch.nn.init.normal_(simulator.last.weight, std=0.1)
    images, groups = torch.randn(2, 1, 8, 9, 10), torch.tensor([0.0, 1.0])
    simulation = build("cycle", Linear(torch.ones(8, 9, 10)), simulator).simulate(images, groups)
    velocity = simulator(images, groups)
    assert simulation.displacement.abs().max() > 0.01
    torch.testing.assert_close(simulation.displacement, integrate(velocity).detach())


def test_the_files_of_a_simulation(tmp_path):
    images = torch.stack([ball(4), ball(5)]).float()[:, None]
    explainer, patients = build("cycle", Linear(torch.ones(GRID)), Ball()), torch.tensor([0.0, 1.0])
    simulation = explainer.simulate(images, patients)
    index = pd.DataFrame({"row": [0, 1], "scan": ["sub-01", "sub-02"]})
    np.save(tmp_path / "mask.npy", ball(7).numpy())
    arrays = {name: tmp_path / f"{name}.npy" for name in ("maps", "displacement", "simulated", "change")}
    tables = {name: tmp_path / f"{name}.tsv" for name in ("logits", "quality")}
    files = arrays | tables
    write = partial(write_simulation, explainer, images, patients, index, tmp_path / "mask.npy")
    write(**files, cycled=tmp_path / "cycled.npy")
    assert np.load(arrays["maps"]).dtype == np.float32
    assert np.load(arrays["displacement"]).shape == (2, 3, *GRID)
    # A control's change is what the disease adds, a patient's what its removal takes.
    added = simulation.simulated - images[:, 0]
    np.testing.assert_allclose(np.load(arrays["change"]), torch.stack([added[0], -added[1]]), atol=1e-3)
    logits, quality = (pd.read_csv(path, sep="\t") for path in tables.values())
    assert list(logits.columns) == ["row", "scan", "raw", "simulated", "cycled"]
    assert logits["raw"].tolist() == [images[0].sum().item(), images[1].sum().item()]
    assert quality["folding_share"].tolist() == [0, 0]
    error = (simulation.cycled[0] - images[0, 0])[ball(7)].square().mean().sqrt().item()
    assert quality["cycle_rmse"][0] == pytest.approx(error, rel=1e-4)
    write(**files)
    logits, quality = (pd.read_csv(path, sep="\t") for path in tables.values())
    # Without the way back nothing is said of it.
    assert logits["cycled"].isna().all() and quality["cycle_rmse"].isna().all()


def test_a_displacement_is_written_in_mm_along_the_world_s_axes(tmp_path):
    # The first axis of the array runs to the left in steps of 2 mm, the second up (4 mm), the third forward (3 mm).
    affine = np.array([[-2.0, 0, 0, 5], [0, 0, 3, 6], [0, 4, 0, 7], [0, 0, 0, 1]])
    voxels = np.zeros((3, 4, 5, 6))
    voxels[:, 1, 2, 3] = [1, 10, 100]
    write_displacement(voxels, affine, tmp_path / "d.nii.gz", "SRI24")
    image = nib.load(tmp_path / "d.nii.gz")
    assert image.shape == (4, 5, 6, 1, 3)
    assert image.header.get_intent()[0] == "vector"
    assert image.get_fdata()[1, 2, 3, 0].tolist() == [-2, 300, 40]
    assert np.array_equal(image.affine, affine)
    # A template that NIfTI has no code for.
    assert image.header["sform_code"] == image.header["qform_code"] == 5


def test_each_packed_scan_gets_its_row_and_side_cars(tmp_path):
    rows = {"image": (2, 4, 5, 6), "displacement": (2, 3, 4, 5, 6), "log_jacobian": (2, 4, 5, 6)}
    arrays = {}
    for name, shape in rows.items():
        arrays[name] = [str(tmp_path / f"{name}.npy")]
        np.save(arrays[name][0], np.broadcast_to(np.array([1.0, 2.0]).reshape(2, *[1] * (len(shape) - 1)), shape))
    pd.DataFrame({"scan": ["sub-01", "sub-03"]}).rename_axis("row").to_csv(tmp_path / "index.tsv", sep="\t")
    (tmp_path / "affine.json").write_text(json.dumps(np.diag([5.0, 5, 5, 1]).tolist()))
    # A second seed, whose maps are 4 everywhere.
    arrays["log_jacobian"].append(str(tmp_path / "again.npy"))
    np.save(arrays["log_jacobian"][1], np.full(rows["log_jacobian"], 4.0))
    outputs = {
        scan: {name: (str(tmp_path / f"{scan}_{name}.nii.gz"), str(tmp_path / f"{scan}_{name}.json")) for name in rows}
        for scan in ("sub-01", "sub-02", "sub-03")
    }
    sources = {scan: f"{scan}.nii.gz" for scan in outputs}
    export_scans(tmp_path / "index.tsv", tmp_path / "affine.json", arrays, sources, outputs, "cycle", "SRI24")
    assert nib.load(outputs["sub-03"]["log_jacobian"][0]).get_fdata().max() == 3
    assert nib.load(outputs["sub-03"]["displacement"][0]).get_fdata().max() == 10
    assert not (tmp_path / "sub-02_image.nii.gz").exists()
    facts = json.loads((tmp_path / "sub-01_log_jacobian.json").read_text())
    assert facts["Sources"] == ["sub-01.nii.gz"]
    assert "expansion is positive" in facts["Units"] and "mean over 2 seeds" in facts["Description"]
    assert facts["Space"] == "SRI24"
    assert {"Direction", "SoftwareVersions"} <= set(facts)
