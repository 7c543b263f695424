"""What changed between two films of a subject, in the later one's place."""

import numpy as np

from counterwarp.imaging.films import FilmGrid, centre, read_prepared
from counterwarp.imaging.io import write_sidecar


def observed_film_change(earlier: str, later: str, grid: FilmGrid, change: str, mask: str, sidecar: str) -> None:
    """Write the earlier film, registered to the later one, minus the later one (Bigolin Lanfredi et al. 2020, 3.3).

    Args:
        earlier, later: prepared films of a subject.
        grid: of the films.
        change: output .npy, (crop, crop) float32, in units of the films; 0 outside the mask.
        mask: output .npy, bool: inside both films.
        sidecar: JSON: the affine matrix, in pixels, and its centre.
    """
    first, second = (read_prepared(path, grid.edge) for path in (earlier, later))
    moved, inside, matrix = register_film(second, first)
    inside = centre(inside, grid.crop)
    np.save(change, np.where(inside, centre(moved - second, grid.crop), 0).astype(np.float32))
    np.save(mask, inside)
    write_sidecar(
        sidecar,
        sources=[earlier, later],
        space="film",
        tools=("simpleitk",),
        Description="The earlier film, registered to this one by an affine transformation, minus this one",
        Units="share of darker pixels, from -1 to 1",
        LaterToEarlierPixels=matrix.tolist(),
    )


def register_film(fixed: np.ndarray, moving: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Affine registration of one film to another by mutual information.

    Args:
        fixed, moving: (rows, columns).

    Returns:
        The moving film on the fixed one's grid; where it has values there, bool; and the matrix (2, 3) that takes
        (column, row, 1) of the fixed film to (column, row) of the moving one, pixels.
    """
    import SimpleITK as sitk  # noqa: N813 - its customary name

    # More than one thread changes the last digits.
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    images = [sitk.GetImageFromArray(film.astype(np.float32)) for film in (fixed, moving)]
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=32)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0, minStep=1e-3, numberOfIterations=200, gradientMagnitudeTolerance=1e-6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    start = sitk.AffineTransform(2)
    start.SetCenter([(n - 1) / 2 for n in fixed.shape[::-1]])
    method.SetInitialTransform(start, inPlace=True)
    method.Execute(*images)
    moved = sitk.Resample(images[1], images[0], start, sitk.sitkLinear, 0.0)
    whole = sitk.GetImageFromArray(np.ones(moving.shape, np.float32))
    inside = sitk.GetArrayFromImage(sitk.Resample(whole, images[0], start, sitk.sitkLinear, 0.0)) > 1 - 1e-3
    linear, centre_point = np.array(start.GetMatrix()).reshape(2, 2), np.array(start.GetCenter())
    offset = np.array(start.GetTranslation()) + centre_point - linear @ centre_point
    return sitk.GetArrayFromImage(moved), inside, np.column_stack([linear, offset])
