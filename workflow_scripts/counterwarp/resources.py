"""Files that come neither with the installation nor with the scans: the user's, or fetched once for all."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.request import Request, urlopen

from counterwarp.errors import ConfigError, CounterwarpError
from counterwarp.imaging.engines import BY_HEAD, robex_folder

TIMEOUT_S = 20
# A server that closes too early is none of Python's OSErrors.
NO_ANSWER = (OSError, HTTPException)


@dataclass(frozen=True)
class Resource:
    """Files of one origin: the page that tells of them, the address that serves them, and the SHA-256 of each."""

    page: str
    address: str
    files: dict[str, str]


RESOURCES = {
    # NITRC serves archives of uncompressed images. The R package sri24 holds the same images file by file, and the
    # digests are of its files at the commit that the address names.
    "sri24": Resource(
        "https://www.nitrc.org/projects/sri24",
        "https://raw.githubusercontent.com/muschellij2/sri24/61cfe4374b91502d946946199757714ee5f9aaa9/inst/extdata",
        {
            "spgr.nii.gz": "f3901d9eb4b942a222f517f5d8eddb3b4e1411b18e0d00e8db6cb6f4b32cee88",
            "tissues.nii.gz": "722329ec4c1f9996d2d9e0353b3068a75f50b2d542c41e0ff20cd403013cb387",
            "tzo116plus.nii.gz": "bead1f52c868f4fc9824d0118287c4336888ab04e3aad8c12d9310ff51e373d2",
            "SRI24-tzo116plus.txt": "a6b61737d0a51ecf6f64eb893bf1c87b1edf8f19e3bf8a4fbe8eda9c10b09e7e",
        },
    ),
    # Whole head and its brain mask. The digests are those under which others keep these files (docs/decisions.md).
    "MNI152NLin2009cAsym": Resource(
        "https://www.templateflow.org",
        "https://templateflow.s3.amazonaws.com/tpl-MNI152NLin2009cAsym",
        {
            "tpl-MNI152NLin2009cAsym_res-01_T1w.nii.gz": (
                "1f27aabea9f7183dc0c69dafa71e1787b921ca778d655d9c1bf302b273d5627a"
            ),
            "tpl-MNI152NLin2009cAsym_res-01_desc-brain_mask.nii.gz": (
                "e40bb1816736504d4c25abc243c1c8503df1d308f64c048318aa4b829e09a7ae"
            ),
        },
    ),
}


def kept_folder() -> str:
    """Where fetched files are kept: $COUNTERWARP_CACHE, or ~/.cache/counterwarp."""
    return os.path.abspath(os.environ.get("COUNTERWARP_CACHE") or os.path.expanduser("~/.cache/counterwarp"))


def check_shared_cache() -> None:
    """See that results can be put into the cache of Snakemake that projects share, where one is named.

    Snakemake deletes a result that it cannot put there, so a closed cache would cost a finished training.

    Raises:
        ConfigError: the folder is missing or cannot be written to.
    """
    folder = os.environ.get("SNAKEMAKE_OUTPUT_CACHE", "")
    if folder and not (os.path.isdir(folder) and os.access(folder, os.W_OK)):
        remedy = "name another, or unset it and run without --cache"
        raise ConfigError([f"SNAKEMAKE_OUTPUT_CACHE: {folder} is no folder that can be written to; {remedy}"])


def places(name: str, folder: str) -> list[str]:
    """Where the files of a resource are or will be, in its order; none for what comes with the installation.

    Args:
        name: one of RESOURCES, or any other.
        folder: the user's own copy; empty for the fetched one.
    """
    if name not in RESOURCES:
        return []
    home = os.path.expanduser(folder) if folder else os.path.join(kept_folder(), name)
    return [os.path.join(home, file) for file in RESOURCES[name].files]


def check_resource(name: str, folder: str) -> None:
    """See that the files of a resource are there, or can be fetched: before any work, not in the middle of it.

    Args:
        name, folder: as `places`.

    Raises:
        ConfigError: the user's folder lacks files; a kept file is not the one meant; or files are not kept yet and the
            address does not answer.
    """
    files = places(name, folder)
    missing = [place for place in files if not os.path.isfile(place)]
    if not folder:
        _check_kept(name, [place for place in files if place not in missing])
    if not missing:
        return
    resource = RESOURCES[name]
    wanted = ", ".join(map(os.path.basename, missing))
    if folder:
        raise ConfigError(
            [f"resources.{name}: {folder} lacks {wanted}; get them from {resource.page}, or from {resource.address}"]
        )
    address = f"{resource.address}/{os.path.basename(missing[0])}"
    try:
        urlopen(Request(address, method="HEAD"), timeout=TIMEOUT_S).close()
    except NO_ANSWER as error:
        raise ConfigError(
            [
                f"{name} needs {wanted}, and {address} does not answer ({error}); put the files into "
                f"{os.path.dirname(missing[0])}, or set resources.{name} to a folder that holds them "
                f"({resource.page})"
            ]
        ) from error


def _check_kept(name: str, kept: Sequence[str]) -> None:
    """See that kept files are those meant. What a user's own folder holds is for the user to know.

    Args:
        name: of a resource.
        kept: places of its files.

    Raises:
        ConfigError: with each that has another content, or may not be read.
    """
    problems = []
    for place in kept:
        if not os.access(place, os.R_OK):
            problems.append(f"{place}: no permission to read it; ask its owner for it")
            continue
        found, wanted = _sha256(Path(place).read_bytes()), RESOURCES[name].files[os.path.basename(place)]
        if found != wanted:
            problems.append(
                f"{place}: SHA-256 {found}, expected {wanted}: damaged, or another file; delete it, and it is fetched "
                f"again, or set resources.{name} to a folder of your own"
            )
    if problems:
        raise ConfigError(problems)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def head_files(chosen: str | dict, folders: dict[str, str], standard: list[str]) -> list[str]:
    """The whole head, and its brain mask, that engines of `preprocess.strip` look for in a scan.

    Args:
        chosen: preprocess.strip.head, `auto` settled.
        folders: the section `resources` of the configuration.
        standard: what comes with the installation.
    """
    if isinstance(chosen, dict):
        return [os.path.expanduser(chosen[name]) for name in ("image", "mask")]
    if chosen == "robex":
        return [os.path.join(robex_folder() or "", "ref_vols", file) for file in ("atlas.nii.gz", "atlas_mask.nii.gz")]
    return places(chosen, folders.get(chosen, "")) or standard


def check_head(strip: dict, folders: dict[str, str]) -> None:
    """See that the head template is there, or can be fetched, where it is needed.

    Args:
        strip: preprocess.strip.
        folders: as `head_files`.

    Raises:
        ConfigError: what `check_resource` says, or the user's own files are missing.
    """
    chosen = strip["head"]
    if strip["engine"] not in BY_HEAD:
        return
    if not isinstance(chosen, dict) and chosen != "robex":
        return check_resource(chosen, folders.get(chosen, ""))
    missing = [place for place in head_files(chosen, folders, []) if not os.path.isfile(place)]
    if missing:
        raise ConfigError([f"preprocess.strip.head: no file {place}; correct the path" for place in missing])


def fetch(name: str, file: str, output: str) -> None:
    """Fetch one file of a resource and check that it is the one meant.

    Args:
        name: one of RESOURCES.
        file: one of its files.
        output: where to write it.

    Raises:
        CounterwarpError: no answer, or another file.
    """
    resource = RESOURCES[name]
    address = f"{resource.address}/{file}"
    try:
        with urlopen(address, timeout=TIMEOUT_S) as answer:
            content = answer.read()
    except NO_ANSWER as error:
        raise CounterwarpError(
            f"{address}: {error}; try again, or set resources.{name} to a folder that holds {file} ({resource.page})"
        ) from error
    found = _sha256(content)
    if found != resource.files[file]:
        raise CounterwarpError(
            f"{address}: SHA-256 {found}, expected {resource.files[file]}: not the file meant, or damaged on its way; "
            f"try again, or set resources.{name} to a folder that holds {file} ({resource.page})"
        )
    Path(output).write_bytes(content)
