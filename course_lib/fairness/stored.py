"""Results that come with the kit, because they take minutes: the methods of lesson 06 over three seeds."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from course_lib.data.faces import GROUPS
from course_lib.fairness.config import Config
from course_lib.fairness.methods import METHODS
from course_lib.metrics import mean_and_range

STUDY = Path(__file__).parents[2] / "data" / "study_four_groups.csv"
BALANCED_DATA = "StdM, balanced data"  # not a method, but what one would wish for
SHOWN = ("StdM", BALANCED_DATA, "UpWt", "DFR", "FERMI", "JTT")


def study() -> pd.DataFrame:
    """Return one row per network of the stored study: method, settings, training, weight_decay, seed, and results.

    settings: "" for the method's own, or what was changed of them; training: "unequal", the lesson's table, or
    "equal" groups. Results: the accuracy in the four groups, their mean and the worst, and the three criteria; the
    other columns say with what it was made. Made by ``python -m course_lib study four-groups --seeds 3``.
    Taught in: notebook 06.
    """
    return pd.read_csv(STUDY, keep_default_na=False)


def three_seeds() -> pd.DataFrame:
    """Return how well some methods read each group: mean (lowest to highest) over seeds 0, 1 and 2.

    Everything else as by default; one row per method, and one for balanced data. Columns: the accuracy in the four
    groups, and the equalized odds difference. From `study`. Taught in: notebook 06.
    """
    rows = study()
    rows = rows[(rows["weight_decay"] == Config.weight_decay) & (rows["settings"] == "")]
    rows = rows.assign(method=rows["method"].mask(rows["training"] == "equal", BALANCED_DATA))
    return rows.groupby("method")[[*GROUPS, "equalized odds"]].agg(mean_and_range).loc[list(SHOWN)]


def weight_decays() -> pd.DataFrame:
    """Return the accuracy in the worst group at four weight decays: mean (lowest to highest) over three seeds.

    One row per method, and a column for each weight decay; the first column is the mean over all groups at the
    usual one. From `study`. Taught in: notebook 06.
    """
    rows = study()
    rows = rows[(rows["training"] == "unequal") & (rows["settings"] == "")]
    usual = rows[rows["weight_decay"] == Config.weight_decay].groupby("method")["mean"].agg(mean_and_range)
    worst = rows.groupby(["method", "weight_decay"])["worst"].agg(mean_and_range).unstack()
    worst.columns = [f"worst group, decay {decay:g}" for decay in worst]
    table = pd.concat([usual.rename(f"all groups, decay {Config.weight_decay:g}"), worst], axis=1)
    return table.loc[list(dict.fromkeys(rows["method"]))]


def other_settings() -> pd.DataFrame:
    """Return what other settings than their own make of the methods: mean (lowest to highest) over three seeds.

    One row for each value of a method's setting, the default among them; columns: the mean over all groups and the
    worst group, at the usual weight decay. No default was chosen by this table. From `study`. Taught in: notebook 06.
    """
    rows = study()
    rows = rows[(rows["training"] == "unequal") & (rows["weight_decay"] == Config.weight_decay)]
    table = []
    for method, changed in rows[rows["settings"] != ""].groupby("method", sort=False):
        name = changed["settings"].iloc[0].partition("=")[0]
        own = METHODS[method].check({})[name]
        values = {float(text.partition("=")[2]): text for text in changed["settings"]} | {own: ""}
        for value, text in sorted(values.items()):
            seeds = rows[(rows["method"] == method) & (rows["settings"] == text)]
            what = {"method": method, "setting": f"{name}={value:g}", "default": "default" if value == own else ""}
            found = {"all groups": mean_and_range(seeds["mean"]), "worst group": mean_and_range(seeds["worst"])}
            table.append(what | found)
    return pd.DataFrame(table).set_index(["method", "setting", "default"])
