"""DFDNet: the official network, numbers, files, landmarks and part boxes."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from restorebench.adapters import landmarks
from restorebench.adapters.dfdnet import DFDNet, read_entries
from restorebench.adapters.landmarks import Dlib68, as_points, part_boxes, read_landmarks
from restorebench.adapters.networks import dfdnet
from restorebench.bench import weights
from restorebench.bench.api import Batch
from restorebench.bench.errors import ConfigError, RestorerError, WeightsError
from restorebench.bench.identity import restorer_id
from restorebench.bench.images import Pixels, to_tensor
from restorebench.bench.spec import Spec

from .fills import save_official, zeros
from .plain_fills import Shapes, arrays, assert_reads_strictly, difference, normal, shapes, state, uniform

pytestmark = pytest.mark.parity

ATOL = 1e-4
BOXES: Mapping[str, dfdnet.Box] = {
    "left_eye": (150, 200, 229, 279),
    "right_eye": (283, 200, 362, 279),
    "nose": (220, 260, 290, 330),
    "mouth": (200, 330, 311, 441),
}
BINOMIAL = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
CLASSIFIER = "VggExtract.model.classifier."


def rule(name: str, n: np.ndarray) -> np.ndarray | None:
    """What differs from the common fill: VGG keeps the variance, constants are what they are."""
    if re.fullmatch(r"VggExtract\.model\.features\.\d+\.weight", name):
        return n * np.sqrt(2 / (n.shape[1] * 9))
    if re.fullmatch(r"up\d\.conv1\.0\.weight(_flip)?", name):
        return np.broadcast_to(BINOMIAL, n.shape)
    constants = {"VggExtract.RGB_mean": [0.485, 0.456, 0.406], "VggExtract.RGB_std": [0.229, 0.224, 0.225]}
    return np.array(constants[name]).reshape(n.shape) if name in constants else None


def used(official: Shapes) -> Shapes:
    return {name: shape for name, shape in official.items() if not name.startswith(CLASSIFIER)}


def entries(part: str, scale: int, count: int = 4) -> torch.Tensor:
    shape = dfdnet.entry_shape(part, scale)
    rows = normal(f"{part}_{scale}_center", (count, int(np.prod(shape))))
    return torch.from_numpy(rows.astype(np.float32)).view(count, *shape)


@pytest.fixture(scope="module")
def dictionary() -> dfdnet.Dictionary:
    return {(part, scale): dfdnet.normalise_(entries(part, scale)) for part in dfdnet.PARTS for scale in dfdnet.SCALES}


@pytest.fixture(scope="module")
def network() -> dfdnet.DFDNet:
    filled = state(used(shapes("dfdnet")), rule)
    for name in filled:
        if name.startswith("VggExtract.features."):  # the same layers a second time
            layer, kind = name.split(".")[-2:]
            filled[name] = filled[f"VggExtract.model.features.{layer}.{kind}"]
    network = dfdnet.DFDNet()
    network.load_state_dict(filled)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dictionary of one entry per part and scale."""
    folder = tmp_path_factory.mktemp("DictionaryCenter512")
    for part in dfdnet.PARTS:
        for scale in dfdnet.SCALES:
            np.save(folder / f"{part}_{scale}_center.npy", entries(part, scale, 1).flatten(1).numpy())
    return folder


# -- the official numbers -----------------------------------------------------------------------


def test_faces_come_out_as_the_official_network_makes_them(
    network: dfdnet.DFDNet, dictionary: dfdnet.Dictionary
) -> None:
    golden = arrays("dfdnet")
    features = {f"vggfeat{position}_sub" for position in range(4)}
    assert golden.keys() == {"out_eval_sub16", "out_eval_row256_ch0", "out_train1_sub16"} | features
    with torch.inference_mode():
        restored = network(uniform(512), [BOXES], dictionary)
    assert difference(restored[:, :, ::16, ::16], golden["out_eval_sub16"]) < ATOL
    assert difference(restored[0, 0, 256], golden["out_eval_row256_ch0"]) < ATOL


def test_vgg_features_are_the_official_ones(network: dfdnet.DFDNet) -> None:
    golden = arrays("dfdnet")
    with torch.inference_mode():
        features = network.VggExtract(uniform(512))
    for position, scale in enumerate(dfdnet.SCALES):
        assert difference(features[scale][:, ::32, ::16, ::16], golden[f"vggfeat{position}_sub"]) < ATOL


def test_without_evaluation_mode_it_makes_what_the_official_script_makes_first(
    network: dfdnet.DFDNet, dictionary: dfdnet.Dictionary
) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    try:
        with torch.no_grad():
            restored = network.train()(uniform(512), [BOXES], dictionary)
    finally:
        drifted = network.state_dict()["up0.conv1.1.weight_u"].clone()
        network.load_state_dict(before)
        network.eval()
    assert difference(restored[:, :, ::16, ::16], arrays("dfdnet")["out_train1_sub16"]) < ATOL
    assert not torch.equal(drifted, before["up0.conv1.1.weight_u"])


def test_a_face_does_not_depend_on_its_batch_mates(network: dfdnet.DFDNet, dictionary: dfdnet.Dictionary) -> None:
    faces = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    boxes = [dict.fromkeys(dfdnet.PARTS, (at, at, at + 32, at + 32)) for at in (0, 8, 16, 32)]
    with torch.inference_mode():
        together = network(faces, boxes, dictionary)
        alone = torch.cat([network(faces[i : i + 1], boxes[i : i + 1], dictionary) for i in range(4)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_the_best_entry_is_the_crop_itself_when_the_dictionary_holds_it() -> None:
    crop = entries("nose", 64, 1)
    others = torch.randn(200, *crop.shape[1:], generator=torch.Generator().manual_seed(1))
    with_it = dfdnet.normalise_(torch.cat((others[:150], crop * 3 + 5, others[150:])))
    torch.testing.assert_close(dfdnet.best_entry(with_it, crop), crop, atol=1e-3, rtol=1e-3)


# -- files --------------------------------------------------------------------------------------


def test_official_files_are_read_strictly(folder: Path, tmp_path: Path) -> None:
    def load(path: Path) -> None:
        DFDNet(str(path), str(folder), landmarks="points").load(torch.device("cpu"))

    official = shapes("dfdnet")
    assert sum(name.startswith(CLASSIFIER) for name in official) == 6
    load(save_official(zeros(official), tmp_path / "with_classifier.pth"))
    assert_reads_strictly(load, used(official), tmp_path)


def test_dictionary_files_are_checked(folder: Path, tmp_path: Path) -> None:
    good = folder / "mouth_32_center.npy"
    assert read_entries(good, "mouth", 32).shape == (1, 512, 6, 6)
    with pytest.raises(WeightsError, match=r"shape \(1, 18432\), expected \(K, 387200\): entries of mouth at 256"):
        read_entries(good, "mouth", 256)
    damaged = tmp_path / "damaged.npy"
    damaged.write_bytes(good.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="cannot be read"):
        read_entries(damaged, "mouth", 32)
    program = tmp_path / "program.npy"
    np.save(program, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(WeightsError, match="cannot be read"):
        read_entries(program, "mouth", 32)


def test_shapes_of_the_entries_are_those_of_the_official_files() -> None:
    values = {"left_eye": 204800, "right_eye": 204800, "nose": 80000, "mouth": 387200}
    assert {part: int(np.prod(dfdnet.entry_shape(part, 256))) for part in dfdnet.PARTS} == values
    assert dfdnet.entry_shape("nose", 128) == (256, 12, 12)
    assert dfdnet.entry_shape("mouth", 64) == (512, 13, 13)


def test_dlib_is_asked_for_only_where_no_landmark_files_are_given() -> None:
    assert "dlib-68-landmarks" in DFDNet().weights
    assert "dlib-68-landmarks" not in DFDNet(landmarks="points").weights
    assert len(DFDNet(landmarks="points").weights) == 17
    own = DFDNet(dictionary="mine").weights
    assert own["dfdnet/nose_64"] == str(Path("mine") / "nose_64_center.npy")


def test_the_card_says_that_the_official_script_is_not_in_evaluation_mode() -> None:
    assert "official script is not" in DFDNet.card.knobs["evaluation mode"]
    assert DFDNet.card.quantise == "truncate"


# -- landmarks and boxes ------------------------------------------------------------------------


def points() -> np.ndarray:
    """Landmarks of a plain face: every part's points on a cross around its middle."""
    layout = np.full((68, 2), 256.0)
    middles = {"left_eye": (190, 240), "right_eye": (320, 240), "nose": (256, 300), "mouth": (256, 385)}
    for part, middle in middles.items():
        indices = list(landmarks._POINTS[part])
        layout[indices] = middle
        layout[indices[0]] = middle[0] - 30, middle[1]
        layout[indices[1]] = middle[0] + 30, middle[1]
    return layout


def test_part_boxes_are_squares_around_the_mean_of_their_points() -> None:
    boxes = part_boxes(points())
    assert boxes == {
        "left_eye": (161, 211, 220, 270),  # 190 - 30 + 1, 240 - 30 + 1, 190 + 30, 240 + 30
        "right_eye": (291, 211, 350, 270),
        "nose": (227, 271, 286, 330),
        "mouth": (227, 356, 286, 415),
    }
    assert sorted(dfdnet.PARTS) == sorted(boxes)


def test_small_parts_get_a_least_size_and_fractions_are_cut_off() -> None:
    small = points()
    small[29:36] = 250.75, 300.25
    assert part_boxes(small)["nose"] == (235, 285, 266, 316)


def test_boxes_end_at_the_border_and_parts_outside_are_an_error() -> None:
    near, outside = points(), points()
    near[48:68] += (0, 110)
    assert part_boxes(near)["mouth"][3] == 512
    outside[48:68] += (0, 200)
    with pytest.raises(RestorerError, match="the mouth lies outside the picture"):
        part_boxes(outside)


@pytest.mark.parametrize("name", ["faces/a.png.txt", "faces/a.jpg.txt", "faces/a.txt"])
def test_landmark_files_are_found_by_the_name_of_the_image(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.parent.mkdir()
    file.write_text("".join(f"{x:.3f} {y:.3f}\n" for x, y in points()))
    np.testing.assert_allclose(read_landmarks(tmp_path, "faces/a"), points(), atol=1e-3)


def test_missing_and_wrong_landmark_files_say_so(tmp_path: Path) -> None:
    with pytest.raises(RestorerError, match=r"no landmarks: .*a\.png\.txt"):
        read_landmarks(tmp_path, "a")
    (tmp_path / "a.txt").write_text("1 2\n3 4\n")
    with pytest.raises(RestorerError, match=r"landmarks of shape \(2, 2\), expected 68 pairs"):
        read_landmarks(tmp_path, "a")
    (tmp_path / "a.txt").write_text("left eye\n")
    with pytest.raises(RestorerError, match="not 68 lines 'x y'"):
        read_landmarks(tmp_path, "a")
    with pytest.raises(RestorerError, match="expected 68 pairs"):
        as_points([[float("nan"), 0.0]] * 68, "meta of a")


@pytest.fixture(scope="module")
def dlib68() -> Dlib68:
    return Dlib68(weights.path("dlib-68-landmarks"))


def test_dlib_finds_the_landmarks_where_the_ffhq_template_has_them(dlib68: Dlib68, face: Pixels) -> None:
    found = dlib68(face, aligned=False)
    left_eye, right_eye = found[36:42].mean(0), found[42:48].mean(0)
    # FFHQ template at 512 x 512: eyes, corners of the mouth
    template = np.array([(193, 240), (319, 240), (201, 371), (313, 371)])
    np.testing.assert_allclose([left_eye, right_eye, found[48], found[54]], template, atol=20)


def test_a_face_too_degraded_to_be_found_is_looked_for_where_aligned_faces_are(
    dlib68: Dlib68, face: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear = dlib68(face, aligned=True)
    monkeypatch.setattr(dlib68, "_detect", lambda *_: [])
    assert np.abs(dlib68(face, aligned=True) - clear).mean() < 5
    with pytest.raises(RestorerError, match="no face found"):
        dlib68(face, aligned=False)


class BoxReader(torch.nn.Module):
    """Remembers the boxes and returns the faces."""

    def forward(self, faces: torch.Tensor, boxes: list[Mapping[str, dfdnet.Box]], _: object) -> torch.Tensor:
        self.boxes = boxes
        return faces


def test_landmarks_come_from_the_sample_then_from_files_then_from_dlib(
    dlib68: Dlib68, face: Pixels, tmp_path: Path
) -> None:
    given, filed = points(), points() + 3
    (tmp_path / "b.png.txt").write_text("".join(f"{x} {y}\n" for x, y in filed))
    reader = BoxReader()

    restorer = DFDNet(landmarks=str(tmp_path))
    restorer._network = reader
    meta = json.loads(json.dumps({"landmarks": given.tolist()}))
    restorer.restore(Batch(("a", "b"), to_tensor([face, face]), (0, 0), (meta, {})))
    assert reader.boxes == [part_boxes(given), part_boxes(filed)]

    restorer = DFDNet()
    restorer._network, restorer._dlib = reader, dlib68
    restorer.restore(Batch(("a",), to_tensor([face]), (0,), ({"alignment": "ffhq_512"},)))
    assert reader.boxes == [part_boxes(dlib68(face, aligned=True))]


def test_other_landmarks_are_another_restorer_wherever_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restorebench.bench.identity.weights_identity", lambda _: {})  # the network is not here
    first, moved, other = tmp_path / "first", tmp_path / "moved", tmp_path / "other"
    for folder, shift in ((first, 0), (moved, 0), (other, 1)):
        folder.mkdir()
        np.savetxt(folder / "a.png.txt", points() + shift)

    def identity(folder: Path | None) -> str:
        spec = Spec.of(
            {"_target_": "restorebench.adapters.dfdnet.DFDNet", "landmarks": folder and str(folder)}, "dfdnet"
        )
        return restorer_id(spec, spec.build())

    before = identity(first)
    assert identity(moved) == before
    assert identity(other) != before
    assert identity(None) not in {before, identity(other)}
    np.savetxt(first / "a.png.txt", points() + 2)
    assert identity(first) != before


def test_a_folder_without_landmarks_is_told_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no landmark files"):
        _ = DFDNet(landmarks=str(tmp_path / "nothing")).content
