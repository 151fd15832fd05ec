"""DR2 and ILVR: the official U-Net, schedule, filter, sampling and files; seeds, settings and enhancers."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from restorebench.adapters.baselines import NLMeans
from restorebench.adapters.diffusion import DiffusionRestorer
from restorebench.adapters.dr2 import DR2, DR2SPARNetHD, default_omega
from restorebench.adapters.folder import Folder
from restorebench.adapters.ilvr import ILVR
from restorebench.adapters.networks import diffusion, unet
from restorebench.adapters.realesrgan import RealESRGAN
from restorebench.bench.api import Batch, Card, Restorer
from restorebench.bench.errors import ConfigError, RestorerError
from restorebench.bench.spec import Spec

from .plain_fills import arrays, assert_reads_strictly, difference, shapes, state, uniform

pytestmark = pytest.mark.parity

ATOL = 1e-4
CHAIN_ATOL = 2e-3  # clamping inside a chain amplifies rounding

LQ = uniform(256)
GOLDEN = arrays("dr2")


@pytest.fixture(scope="module")
def network() -> unet.UNet:
    network = unet.build().eval().requires_grad_(False)
    unet.load_official(network, state(shapes("dr2")))
    return network


def recorded_noise() -> diffusion.Noise:
    generator = np.random.default_rng(1234)
    return lambda: torch.from_numpy(generator.standard_normal((1, 3, 256, 256)).astype(np.float32))


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


# -- the official numbers -----------------------------------------------------------------------


def test_every_golden_array_of_dr2_is_compared() -> None:
    compared = {f"unet_t{t}_sub16" for t in (0, 353, 999)} | {"unet_t353_row128_ch0"}
    compared |= {"timestep_map", "respaced_betas", "respaced_alphas_cumprod", "posterior_log_variance_clipped"}
    compared |= {f"lowpass_N{n}_sub16" for n in (2, 4, 8, 16, 32)} | {f"down_N{n}" for n in (4, 8, 16)}
    compared |= {f"sample_N{n}_tau{tau}_omega{omega}_sub16" for n, tau, omega in CHAINS}
    assert compared == GOLDEN.keys()


@pytest.mark.parametrize("timestep", [0, 353, 999])
def test_the_network_is_the_official_one(network: unet.UNet, timestep: int) -> None:
    output = network(LQ, torch.tensor([timestep]))
    assert difference(output[:, :, ::16, ::16], GOLDEN[f"unet_t{timestep}_sub16"]) < ATOL
    if timestep == 353:
        assert difference(output[0, 0, 128], GOLDEN["unet_t353_row128_ch0"]) < ATOL
        assert difference(output[:, :, ::16, ::16], arrays("ilvr")["unet_t353_sub16"]) < ATOL  # ILVR's is the same


def test_the_schedule_is_the_official_one() -> None:
    schedule = diffusion.Schedule.respaced(100)
    np.testing.assert_array_equal(schedule.timesteps, GOLDEN["timestep_map"])
    np.testing.assert_allclose(schedule.betas, GOLDEN["respaced_betas"], rtol=1e-12)
    np.testing.assert_allclose(schedule.alphas_cumprod, GOLDEN["respaced_alphas_cumprod"], rtol=1e-12)
    np.testing.assert_allclose(schedule.posterior_log_variance, GOLDEN["posterior_log_variance_clipped"], rtol=1e-12)


@pytest.mark.parametrize("steps", [2, 10, 250, 1000])
def test_any_number_of_steps_keeps_both_ends(steps: int) -> None:
    schedule = diffusion.Schedule.respaced(steps)
    assert len(set(schedule.timesteps.tolist())) == len(schedule.betas) == steps
    assert (schedule.timesteps[0], schedule.timesteps[-1]) == (0, 999)
    full = np.cumprod(1 - np.linspace(1e-4, 2e-2, 1000))
    np.testing.assert_allclose(schedule.alphas_cumprod, full[schedule.timesteps], rtol=1e-9)


@pytest.mark.parametrize("factor", [2, 4, 8, 16, 32])
def test_the_low_pass_filter_is_matlabs(factor: int) -> None:
    image = uniform(256, seed=1)
    assert difference(diffusion.low_pass(image, factor)[:, :, ::16, ::16], GOLDEN[f"lowpass_N{factor}_sub16"]) < 1e-6
    if f"down_N{factor}" in GOLDEN:
        assert difference(diffusion.shrink(image, factor), GOLDEN[f"down_N{factor}"]) < 1e-6


CHAINS = [(8, 35, 37), (4, 22, 25), (4, 22, 42)]


@pytest.mark.parametrize(("n", "tau", "omega"), CHAINS)
def test_dr2_samples_as_the_official_code_does(network: unet.UNet, n: int, tau: int, omega: int) -> None:
    schedule = diffusion.Schedule.respaced(100)
    image = diffusion.dr2(network, schedule, LQ, n, tau, omega, recorded_noise())
    assert difference(image[:, :, ::16, ::16], GOLDEN[f"sample_N{n}_tau{tau}_omega{omega}_sub16"]) < CHAIN_ATOL


def test_ilvr_samples_as_the_official_code_does(network: unet.UNet) -> None:
    golden = arrays("ilvr")
    assert len(golden) == 7
    chain = diffusion.ilvr(network, diffusion.Schedule.respaced(100), LQ, 8, 20, recorded_noise())
    for step, found in enumerate(islice(chain, 3)):
        assert difference(found.sample[:, :, ::16, ::16], golden[f"step{step}_sample_sub16"]) < ATOL
        # at the noisy end an error of the network counts 157-fold in the picture it implies
        assert difference(found.image[:, :, ::16, ::16], golden[f"step{step}_pred_xstart_sub16"]) < CHAIN_ATOL


@pytest.mark.parametrize("adapter", [DR2, ILVR])
def test_official_files_are_read_strictly(adapter: type[DiffusionRestorer], tmp_path: Path) -> None:
    assert_reads_strictly(lambda path: adapter(str(path)).load(torch.device("cpu")), shapes("dr2"), tmp_path)


# -- seeds and batches --------------------------------------------------------------------------


def on_small_faces(restorer: DiffusionRestorer, network: unet.UNet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a restorer the filled network and let it work at 64 x 64, to save time."""
    restorer._network = network
    monkeypatch.setattr(type(restorer), "side", 64)


def faces(count: int, side: int = 64) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(5))


def batch(images: torch.Tensor, *seeds: int) -> Batch:
    return Batch(tuple(map(str, seeds)), images, seeds, ({},) * len(seeds))


def test_the_network_treats_every_image_alone(network: unet.UNet) -> None:
    images, timesteps = faces(4), torch.tensor([0, 350, 700, 999])
    alone = torch.cat([network(one[None], timestep[None]) for one, timestep in zip(images, timesteps, strict=True)])
    torch.testing.assert_close(network(images, timesteps), alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("restorer", "atol"),
    [
        (DR2(n=4, tau=2, omega=4, steps=10), 1e-5),
        (ILVR(n=4, free=1, steps=3), CHAIN_ATOL),  # it starts where an error of rounding counts 157-fold
    ],
    ids=["dr2", "ilvr"],
)
def test_the_seed_alone_decides_the_noise(
    restorer: DiffusionRestorer, atol: float, network: unet.UNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_small_faces(restorer, network, monkeypatch)
    restore, images = restorer.restore, faces(4)
    together = restore(batch(images, 7, 8, 9, 7))
    alone = torch.cat([restore(batch(images[i : i + 1], seed)) for i, seed in enumerate((7, 8, 9, 7))])
    torch.testing.assert_close(together, alone, atol=atol, rtol=1e-5)
    same = images[:1].expand(3, -1, -1, -1)
    first, second, again = restore(batch(same, 7, 8, 7))
    torch.testing.assert_close(first, again, atol=atol, rtol=1e-5)
    assert (first - second).abs().max() > 0.01


# -- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "more"), [(1, 5), (2, 10), (4, 20), (8, 25), (16, 30), (32, 30)])
def test_omega_follows_the_official_rule(n: int, more: int) -> None:
    assert default_omega(n, 22) == 22 + more
    assert DR2(n=n, tau=22).omega == 22 + more
    assert DR2(n=n, tau=22, omega=30).omega == 30


@pytest.mark.parametrize(("n", "tau"), [(16, 70), (8, 75), (4, 80), (1, 95), (2, 99)])
def test_settings_the_official_code_crashes_on_are_refused_before_anything_runs(n: int, tau: int) -> None:
    with pytest.raises(ConfigError, match=rf"omega is by the official rule for N {n} \d+, but the last of 100 steps"):
        DR2(n=n, tau=tau)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 3}, "N is 3"),
        ({"n": 0}, "N is 0"),
        ({"n": 512}, "N is 512"),
        ({"tau": 40, "omega": 30}, "tau 40 and omega 30"),
        ({"tau": -1}, "tau -1"),
        ({"tau": 5, "omega": 10, "steps": 10}, "the last of 10 steps is 9"),
        ({"steps": 1}, "1 steps"),
        ({"steps": 1001}, "1001 steps"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DR2(**settings)


def test_ilvr_refuses_filters_that_do_not_fit() -> None:
    with pytest.raises(ConfigError, match="N is 24"):
        ILVR(n=24)
    with pytest.raises(ConfigError, match="free is -1"):
        ILVR(free=-1)


def test_the_last_valid_settings_are_accepted() -> None:
    assert DR2(n=16, tau=69).omega == 99


# -- faces of other sizes -----------------------------------------------------------------------


def test_ilvr_halves_by_box_then_resizes(face: np.ndarray) -> None:
    from PIL import Image

    image = Image.fromarray(face).resize((600, 600))
    wanted = np.asarray(image.resize((300, 300), Image.Resampling.BOX).resize((256, 256), Image.Resampling.BICUBIC))
    prepared = ILVR().prepare(torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255)
    np.testing.assert_array_equal((prepared[0] * 255).round().byte().permute(1, 2, 0).numpy(), wanted)


def test_ilvr_refuses_faces_that_are_not_square() -> None:
    with pytest.raises(RestorerError, match="this one is 512 x 256"):
        ILVR().prepare(torch.zeros(1, 3, 512, 256))


# -- the second stage ---------------------------------------------------------------------------


class Recorder:
    """An enhancer that remembers what it was fed."""

    card = Card(name="Recorder", paper="none", task="face restoration", quantise="truncate", losses=("LPIPS",))
    version = 3
    weights = {"codeformer": None}

    def load(self, device: torch.device) -> None:
        self.device = device

    def restore(self, batch: Batch) -> torch.Tensor:
        self.batch = batch
        return batch.images


def test_any_adapter_can_be_the_second_stage(network: unet.UNet, monkeypatch: pytest.MonkeyPatch) -> None:
    enhancer = Recorder()
    restorer = DR2(n=4, tau=1, omega=2, steps=10, enhancer=enhancer)
    on_small_faces(restorer, network, monkeypatch)
    given = batch(faces(2, 96), 3, 4)
    restored = restorer.restore(given)
    assert enhancer.batch[0] == given.ids
    assert enhancer.batch[2:] == given[2:]
    assert restored.shape == (2, 3, 512, 512)
    assert 0 <= restored.min() < restored.max() <= 1


def test_the_card_and_the_weights_speak_of_both_stages() -> None:
    restorer = DR2("own.pkl", enhancer=Recorder())
    assert isinstance(restorer, Restorer)
    assert restorer.weights == {"dr2-ffhq": "own.pkl", "codeformer": None}
    assert restorer.card.name == "DR2 + Recorder"
    assert restorer.card.quantise == "truncate"
    assert restorer.card.stochastic
    assert "LPIPS" in restorer.card.losses
    assert restorer.version != DR2(enhancer=DR2SPARNetHD()).version
    assert DR2(enhancer=DR2SPARNetHD()).card.name == "DR2 + SPARNetHD"


def test_a_restorer_of_small_images_is_fed_the_first_stage_as_it_is(
    network: unet.UNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    enhancer = Recorder()
    enhancer.card = RealESRGAN.card  # type: ignore[misc]
    restorer = DR2(n=4, tau=1, omega=2, steps=10, enhancer=enhancer)
    on_small_faces(restorer, network, monkeypatch)
    restorer.restore(batch(faces(1), 3))
    assert enhancer.batch.images.shape == (1, 3, 64, 64)


def test_a_folder_of_results_cannot_be_the_second_stage() -> None:
    with pytest.raises(ConfigError, match="Folder restores no batches"):
        DR2(enhancer=Folder("results"))  # type: ignore[arg-type]


def test_the_second_stage_is_chosen_by_configuration() -> None:
    config = {
        "_target_": "restorebench.adapters.dr2.DR2",
        "n": 4,
        "tau": 22,
        "enhancer": {"_target_": "restorebench.adapters.baselines.NLMeans", "h": 3.0},
    }
    restorer = Spec.of(config, "adapter.dr2").build()
    assert isinstance(restorer.enhancer, NLMeans)
    assert restorer.enhancer.h == 3.0
    assert (restorer.factor, restorer.tau, restorer.omega) == (4, 22, 42)
