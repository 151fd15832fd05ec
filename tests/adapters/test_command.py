"""A restorer in its own environment: run once a shard, and never able to hang, litter or hide a failure."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import restorebench
from restorebench.adapters.command import Command
from restorebench.bench.api import FolderRestorer, Restorer
from restorebench.bench.commands import RunResult
from restorebench.bench.errors import ConfigError
from restorebench.bench.folders import restore_folder, safe_names
from restorebench.bench.images import Pixels, encode_png
from restorebench.bench.pictures import Picture
from restorebench.bench.restoring import Restored, Work

HEAD = "import os, pathlib, shutil, sys, time\nsource, target = map(pathlib.Path, sys.argv[1:3])\n"
COPY = "for file in sorted(source.iterdir()):\n    shutil.copy(file, target / file.name)\n"


def picture(level: int, size: tuple[int, int] = (8, 6)) -> Pixels:
    return np.full((*size, 3), level, np.uint8)


def write(path: Path, level: int) -> None:
    path.write_bytes(encode_png(picture(level, (64, 48))))


def work(levels: list[int], size: tuple[int, int] = (8, 6), ids: list[str] | None = None) -> list[Work]:
    names = ids or [f"photos/{level}" for level in levels]
    return [Work(name, Picture.of(picture(level)), size, 0, {}) for name, level in zip(names, levels, strict=True)]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., list[Restored]]:
    """Run a script as a command on images of the given gray levels."""

    def run(script: str, items: list[Work], **settings: object) -> list[Restored]:
        file = tmp_path / "a tool.py"
        file.write_text(HEAD + script)
        command = f"{sys.executable} '{file}' {{input_dir}} {{output_dir}}"
        return restore_folder(Command(command, **settings), items, tmp_path / "out" / "logs" / "tool" / "cell")

    return run


def test_it_offers_a_folder_restorer_and_nothing_else() -> None:
    command = Command("tool {input_dir} {output_dir}")
    assert isinstance(command, FolderRestorer)
    assert not isinstance(command, Restorer)


def test_results_come_back_in_order_whatever_the_ids_look_like(run: Callable[..., list[Restored]]) -> None:
    ids = ["a/b", "a_b", "A.B", "ünï code", "-rf", "x" * 300]
    results = run(COPY, work([10, 20, 30, 40, 50, 60], ids=ids))
    assert [int(result.image[0, 0, 0]) for result in results] == [10, 20, 30, 40, 50, 60]


def test_names_are_safe_and_distinct_without_case() -> None:
    names = safe_names(["a/b", "A b", "a_b", "-x", "", "a_b_2"])
    assert len({name.lower() for name in names}) == 6
    assert all(name.replace("_", "a").replace("-", "a").isalnum() and not name.startswith("-") for name in names)


def test_one_run_serves_the_whole_shard(run: Callable[..., list[Restored]], tmp_path: Path) -> None:
    run(f"open({str(tmp_path / 'runs')!r}, 'a').write('once ')\n" + COPY, work([1, 2, 3]))
    assert (tmp_path / "runs").read_text() == "once "


def test_output_names_may_hold_what_cannot_be_foretold(run: Callable[..., list[Restored]]) -> None:
    script = (
        "(target / 'faces').mkdir()\n"
        "for file in source.iterdir(): shutil.copy(file, target / 'faces' / f'{file.stem}_07.png')\n"
    )
    assert [r.error for r in run(script, work([1, 2]), output="faces/{id}_*.png")] == ["", ""]


def test_a_missing_output_is_one_failed_row_with_stderr(run: Callable[..., list[Restored]]) -> None:
    script = COPY + "next(iter(target.glob('*_2.png'))).unlink()\nprint('no face in 2', file=sys.stderr)\n"
    one, two = run(script, work([1, 2]))
    assert one.image is not None
    assert two.image is None
    assert "left no photos_2.png" in two.error
    assert "no face in 2" in two.error


def test_the_whole_log_is_kept_below_out(run: Callable[..., list[Restored]], tmp_path: Path) -> None:
    script = "print('on stdout')\nfor i in range(1000): print('line', i, file=sys.stderr)\nsys.exit(4)\n"
    (result,) = run(script, work([1]))
    log = (tmp_path / "out/logs/tool/cell/photos_1.txt").read_text()
    assert all(text in log for text in ("$ ", "on stdout", "line 0\n", "line 999\n", "status 4"))
    assert "ended with status 4" in result.error
    assert "line 999" in result.error
    assert "line 900" not in result.error
    assert "logs/tool/cell/photos_1.txt" in result.error


def test_an_image_that_crashes_the_tool_costs_its_own_row_only(run: Callable[..., list[Restored]]) -> None:
    script = (
        "for file in sorted(source.iterdir()):\n"
        "    if file.stem in ('photos_11', 'photos_15'): raise ValueError(f'cannot do {file.stem}')\n"
        "    shutil.copy(file, target / file.name)\n"
    )
    results = run(script, work([*range(11, 19)]))
    assert [result.image is None for result in results] == [True, False, False, False, True, False, False, False]
    assert "cannot do photos_15" in results[4].error


def test_a_tool_that_never_works_is_given_up_soon(run: Callable[..., list[Restored]], tmp_path: Path) -> None:
    script = f"open({str(tmp_path / 'runs')!r}, 'a').write('x')\nimport no_such_library\n"
    results = run(script, work([*range(16)]))
    assert all("No module named 'no_such_library'" in result.error for result in results)
    assert len((tmp_path / "runs").read_text()) <= 5


def test_a_hanging_command_and_its_children_are_killed(run: Callable[..., list[Restored]], tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = (
        "import signal, subprocess\n"
        "shutil.copy(source / 'photos_1.png', target)\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(pids)!r}).write_text(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(600)\n"
    )
    start = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("restorebench.adapters.command._GRACE", 0.3)
        done, hung = run(script, work([1, 2]), timeout=2.0)
    assert time.monotonic() - start < 10
    assert done.image is not None
    assert "took longer than 2 s" in hung.error
    assert not any(alive(int(pid)) for pid in pids.read_text().split())


def alive(pid: int) -> bool:
    """A zombie nobody has waited for does not count."""
    for _ in range(40):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state == "Z":
            return False
        time.sleep(0.05)
    return True


def test_children_left_behind_by_a_finished_command_are_ended(
    run: Callable[..., list[Restored]], tmp_path: Path
) -> None:
    script = COPY + (
        "import subprocess\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid))\n"
    )
    assert run(script, work([1]))[0].error == ""
    assert not alive(int((tmp_path / "pid").read_text()))


def test_a_result_of_another_size_or_a_damaged_one_fails_alone(run: Callable[..., list[Restored]]) -> None:
    script = COPY + (
        "from PIL import Image\n"
        "Image.new('RGB', (3, 4)).save(target / 'photos_1.png')\n"
        "(target / 'photos_2.png').write_bytes(b'half a picture')\n"
    )
    results = run(script, work([1, 2, 3]))
    assert "returned 4 x 3, expected 8 x 6" in results[0].error
    assert "photos_2.png" in results[1].error
    assert results[2].error == ""


def test_a_declared_final_resize_brings_results_to_size(run: Callable[..., list[Restored]]) -> None:
    (result,) = run(COPY, work([77], size=(16, 12)), final_resize="bilinear")
    assert np.array_equal(result.image, picture(77, (16, 12)))


def test_the_declared_size_of_the_files_is_checked(run: Callable[..., list[Restored]]) -> None:
    (result,) = run(COPY, work([1]), output_size=(512, 512), final_resize="area")
    assert "returned 8 x 6, output_size says 512 x 512" in result.error


def test_its_environment_is_its_own(run: Callable[..., list[Restored]], tmp_path: Path) -> None:
    (tmp_path / "work here").mkdir()
    script = COPY + "print(os.getcwd(), os.environ['LEVEL'], os.environ.get('PYTHONPATH'))\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.fspath(tmp_path))
        run(script, work([1]), cwd=os.fspath(tmp_path / "work here"), env={"LEVEL": 3})
    assert "work here 3 None" in (tmp_path / "out/logs/tool/cell/photos_1.txt").read_text()


def test_a_command_that_cannot_be_started_fails_every_row_clearly(tmp_path: Path) -> None:
    results = restore_folder(Command("no-such-tool {input_dir} {output_dir}"), work([1, 2]), tmp_path / "logs")
    assert all("cannot be started" in r.error and "no-such-tool" in r.error for r in results)


def test_a_run_scores_what_came_back_and_runs_nothing_twice(tmp_path: Path) -> None:
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    for name, level in (("a b", 40), ("sub/c", 90), ("sub/d", 140)):
        write(tmp_path / "photos" / f"{name}.png", level)
    tool = tmp_path / "tool.py"
    tool.write_text(
        HEAD + f"open({str(tmp_path / 'runs')!r}, 'a').write('x')\n" + COPY + "(target / 'sub_d.png').unlink()\n"
    )
    command = f"adapter.command.command={sys.executable} {tool} {{input_dir}} {{output_dir}}"

    def once() -> RunResult:
        return restorebench.run(
            command, adapter=["command"], dataset="folder", degradation="mild", metric=["psnr"], out=tmp_path / "out",
            **{"dataset.root": tmp_path / "photos", "mlflow.enabled": False, "reference_row": False},
        )  # fmt: skip

    first = once()
    rows = first.per_image.set_index("sample")
    assert list(rows["status"]) == ["ok", "ok", "failed"]
    assert "left no sub_d.png" in rows["error"]["sub/d"]
    assert first.status == 3
    assert (tmp_path / "runs").read_text() == "x"
    (tmp_path / "photos" / "sub" / "d.png").unlink()
    assert once().failed == 0
    assert (tmp_path / "runs").read_text() == "x"


@pytest.mark.parametrize(
    ("command", "settings", "told"),
    [
        ("tool -i {input_dir}", {}, "{output_dir}"),
        ("tool '{input_dir} {output_dir}", {}, "quotes"),
        ("tool {input_dir} {output_dir}", {"output": "result.png"}, "{id} once"),
        ("tool {input_dir} {output_dir}", {"output": "../{id}.png"}, "below"),
        ("tool {input_dir} {output_dir}", {"timeout": 0}, "seconds"),
    ],
)
def test_a_command_that_cannot_work_is_refused(command: str, settings: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=r"command: ") as error:
        Command(command, **settings)
    assert told in str(error.value)
