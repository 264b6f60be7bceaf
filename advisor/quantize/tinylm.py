"""The tiny model that comes with the advisor: what "Try it now" runs, without a network and within a minute."""

from __future__ import annotations

from advisor.foundation.places import data_folder

FOLDER = data_folder() / "tinylm"
EVALUATION_TEXT = FOLDER / "eval.txt"
CALIBRATION_TEXT = FOLDER / "calib.txt"
IMPORTANCE_MATRIX = FOLDER / "imatrix.gguf"
RESULTS = FOLDER / "results.csv"
QUICK_LEVELS = ("Q8_0", "Q6_K", "Q4_K_M", "Q2_K")
