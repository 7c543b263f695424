"""Chest X-rays drawn from a known geometry: the disease lowers the diaphragm and narrows heart and trachea."""

import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from PIL import Image

# What a disease of severity 1 does: the diaphragm goes down by this share of half the film's height; heart and trachea
# lose this share of their width.
DIAPHRAGM_DOWN, HEART_NARROWER, TRACHEA_NARROWER = 0.16, 0.30, 0.35
HEART, TRACHEA, DIAPHRAGM = (0.25, 0.1), (-0.75, 0.0), 0.45


def displacement(y, x, severity):
    """Where the intensity at (y, x) comes from in the healthy chest, minus (y, x): a sum of three smooth bumps."""
    down = np.exp(-(((y - DIAPHRAGM - severity * DIAPHRAGM_DOWN) / 0.3) ** 2) - (x / 0.8) ** 4)
    heart = np.exp(-(((y - HEART[0]) / 0.4) ** 2) - ((x - HEART[1]) / 0.45) ** 4)
    trachea = np.exp(-(((y - TRACHEA[0]) / 0.35) ** 4) - ((x - TRACHEA[1]) / 0.2) ** 4)
    narrower = HEART_NARROWER * heart * (x - HEART[1]) + TRACHEA_NARROWER * trachea * (x - TRACHEA[1])
    return -severity * DIAPHRAGM_DOWN * down, severity * narrower


def healthy_chest(y, x, rng):
    """Grey values of a chest at places in shares of half the film's height, y down and x to the film's right."""
    tall, wide, phase = 1 + 0.05 * rng.normal(), 1 + 0.05 * rng.normal(), rng.uniform(0, 2 * np.pi)
    y, x = y / tall, x / wide

    def inside(value, width=0.04):
        return 1 / (1 + np.exp(-value / width))

    body = inside(1 - (x / 0.95) ** 4 - (y / 1.3) ** 4, 0.1)
    lungs = sum(inside(1 - ((x - side * 0.45) / 0.36) ** 2 - ((y + 0.15) / 0.8) ** 2, 0.15) for side in (-1, 1))
    air = lungs * inside(DIAPHRAGM - 0.25 * (x**2) - y)
    heart = inside(1 - ((x - HEART[1]) / 0.33) ** 2 - ((y - HEART[0]) / 0.35) ** 2, 0.15)
    trachea = inside(0.09 - np.abs(x - TRACHEA[1]), 0.015) * inside(-0.35 - y)
    ribs = 0.5 + 0.5 * np.cos(2 * np.pi * (y + 0.35 * x**2) / 0.22 + phase)
    return body * (0.55 + 0.3 * heart + 0.08 * ribs) - 0.4 * np.clip(air - heart, 0, 1) * body - 0.25 * trachea * body


def draw_film(subject: int, severity: float, shape=(64, 72), pose=None, noise=0.01, visit=0):
    """A film (rows, columns), 0 to 1: the chest of a subject with the disease, posed by an affine.

    Args:
        pose: (2, 3), takes (y, x, 1) of the film to the chest's (y, x); None for a small one drawn at random.
        visit: another film of the same chest, with another pose and other noise.
    """
    rng = np.random.default_rng([subject, visit, 7])
    if pose is None:
        pose = np.eye(2, 3) + 0.02 * rng.normal(size=(2, 3))
    rows, columns = shape
    y, x = np.mgrid[:rows, :columns].astype(float)
    y, x = (y - (rows - 1) / 2) / (rows / 2), (x - (columns - 1) / 2) / (rows / 2)
    y, x = (row[0] * y + row[1] * x + row[2] for row in pose)
    down, right = displacement(y, x, severity)
    film = healthy_chest(y + down, x + right, np.random.default_rng(subject))
    return np.clip(film + noise * rng.normal(size=shape), 0, 1)


def write_png(film, path, bits=16):
    """Values from 0 to 1 as grey PNG of 8 or 16 bits."""
    kind = {8: np.uint8, 16: np.uint16}[bits]
    Image.fromarray((film * (2**bits - 1)).round().astype(kind)).save(path)


def write_slice(film, path):
    """A film as NIfTI: its columns go to the patient's left, its rows down."""
    nib.save(nib.Nifti1Image(film.T.astype(np.float32), np.diag([-1.0, -1, 1, 1])), path)


# Group, element and kind of value.
ELEMENTS = {
    "TransferSyntaxUID": (0x0002, 0x0010, "UI"),
    "SOPClassUID": (0x0008, 0x0016, "UI"),
    "SOPInstanceUID": (0x0008, 0x0018, "UI"),
    "ImagerPixelSpacing": (0x0018, 0x1164, "DS"),
    "ViewPosition": (0x0018, 0x5101, "CS"),
    "SamplesPerPixel": (0x0028, 0x0002, "US"),
    "PhotometricInterpretation": (0x0028, 0x0004, "CS"),
    "PlanarConfiguration": (0x0028, 0x0006, "US"),
    "NumberOfFrames": (0x0028, 0x0008, "IS"),
    "Rows": (0x0028, 0x0010, "US"),
    "Columns": (0x0028, 0x0011, "US"),
    "BitsAllocated": (0x0028, 0x0100, "US"),
    "BitsStored": (0x0028, 0x0101, "US"),
    "HighBit": (0x0028, 0x0102, "US"),
    "PixelRepresentation": (0x0028, 0x0103, "US"),
    "RescaleIntercept": (0x0028, 0x1052, "DS"),
    "RescaleSlope": (0x0028, 0x1053, "DS"),
}


def write_dicom(stored, path, bits=12, interpretation="MONOCHROME2", **elements):
    """Whole numbers (rows, columns) as an uncompressed DICOM file; negative ones are stored with a sign."""
    is_signed = bool(stored.min() < 0)
    elements = {
        "TransferSyntaxUID": "1.2.840.10008.1.2.1",  # explicit kinds, little-endian
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1",  # digital X-ray, for presentation
        "SOPInstanceUID": "2.25.1",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": interpretation,
        "Rows": stored.shape[-2],
        "Columns": stored.shape[-1],
        "BitsAllocated": 16,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(is_signed),
    } | elements
    body = b"".join(_element(*ELEMENTS[name], elements[name]) for name in sorted(elements, key=ELEMENTS.get))
    pixels = stored.astype("<i2" if is_signed else "<u2").tobytes()
    body += struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, len(pixels)) + pixels
    Path(path).write_bytes(bytes(128) + b"DICM" + body)


def _element(group, element, kind, value):
    if kind == "US":
        data = struct.pack("<H", value)
    else:
        text = "\\".join(map(str, value if isinstance(value, list) else [value]))
        # An odd length is filled: with a zero in UIDs, with a space elsewhere.
        data = (text + ("\0" if kind == "UI" else " ") * (len(text) % 2)).encode()
    return struct.pack("<HH2sH", group, element, kind.encode(), len(data)) + data


def write_cohort(folder: Path, single: int, pairs: int, shape=(64, 72)) -> pd.DataFrame:
    """A table of films and the films, split as the paper's.

    Controls and patients of one film are for training, controls who fall ill between two for validation and test.

    The first films are DICOM of both photometric interpretations and PNG of 8 bits; of a pair the earlier is PNG of 16
    bits and the later NIfTI. One more film of the first two subjects is lateral.

    Returns:
        The table: subject, path, date, label (0 or 1), view, split.
    """
    (folder / "films").mkdir(parents=True)
    rows = []
    for number in range(single + pairs):
        subject, once = f"{number + 1:03d}", number < single
        split = "train" if once else ["validation", "test"][number % 2]
        for label in [number % 2] if once else [0, 1]:
            film = draw_film(number, severity_of(number, label), shape=shape, visit=label)
            kind = "dcm" if number < 4 else "png" if once or not label else "nii.gz"
            name = f"films/{subject}_{label}.{kind}"
            if kind == "nii.gz":
                write_slice(film, folder / name)
            elif kind == "dcm":
                stored = (film * 4095).round().astype(int)
                turned = number >= 2
                interpretation = "MONOCHROME1" if turned else "MONOCHROME2"
                write_dicom(4095 - stored if turned else stored, folder / name, 12, interpretation)
            else:
                write_png(film, folder / name, bits=8 if once else 16)
            rows.append((subject, name, f"20{14 + label}-03-0{1 + number % 9}", str(label), "PA", split))
            if number < 2:
                rows.append((subject, name, "2013-01-01", str(label), "LATERAL", split))
    table = pd.DataFrame(rows, columns=["subject", "path", "date", "label", "view", "split"])
    table.to_csv(folder / "films.tsv", sep="\t", index=False)
    return table


def severity_of(number: int, label: int) -> float:
    """0.8, 1 or 1.2 for a patient, 0 for a control."""
    return label * (0.8 + 0.2 * (number % 3))
