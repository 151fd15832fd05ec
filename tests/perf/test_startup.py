"""How long a person waits before anything happens; `make bench` prints the figures."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.perf


def seconds(*command: str, cwd: Path, times: int = 5) -> float:
    """Return the fastest of a few runs, which is the one other work disturbed least."""
    runs = []
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=cwd)
        runs.append(time.perf_counter() - start)
    return min(runs)


def test_importing_restorebench_costs_less_than_0_3_s_beyond_python(tmp_path: Path) -> None:
    bare = seconds(sys.executable, "-c", "pass", cwd=tmp_path)
    taken = seconds(sys.executable, "-c", "import restorebench", cwd=tmp_path) - bare
    print(f"\nimport restorebench: {taken * 1000:.0f} ms beyond Python's own {bare * 1000:.0f} ms")
    assert taken < 0.3


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"]], ids=" ".join)
def test_help_appears_in_less_than_2_s(arguments: list[str], tmp_path: Path) -> None:
    taken = seconds(str(Path(sys.executable).with_name("restorebench")), *arguments, cwd=tmp_path)
    print(f"\nrestorebench {' '.join(arguments)}: {taken:.2f} s")
    assert taken < 2
