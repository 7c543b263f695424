"""Our own tables come back as they were written."""

import numpy as np
import pandas as pd
from counterwarp.training.pack import read_pack
from counterwarp.tsv import read_tsv

NAMES = ["NA", "null", "nan", "007", ""]


def test_names_stay_text_and_numbers_may_be_missing(tmp_path):
    table = pd.DataFrame({"subject": NAMES, "seed": ["1", "all"] * 2 + ["2"], "t": [1.5, np.nan, 2, 3, 4]})
    table.to_csv(tmp_path / "table.tsv", sep="\t", index=False)
    pd.testing.assert_frame_equal(read_tsv(tmp_path / "table.tsv", "seed"), table)


def test_a_pack_knows_its_subjects_by_any_name(tmp_path):
    """As missing values they would be one subject, or none."""
    index = pd.DataFrame({"scan": [f"sub-{name}" for name in NAMES], "subject": NAMES}).rename_axis("row")
    index = index.assign(group="control", split=["train", "test", "train", "test", "train"], baseline=True)
    index.to_csv(tmp_path / "index.tsv", sep="\t")
    np.save(tmp_path / "images.npy", np.zeros((5, 2, 2), np.float16))
    assert read_pack(tmp_path / "images.npy", tmp_path / "index.tsv").index["subject"].tolist() == NAMES
