"""The mitigation methods of lesson 06, by name: those of lesson 07 that fit two groups, and further ones.

``METHODS.register(name, function_or_class)`` adds a method of your own, and every open panel offers it.
"""

from course_lib.fairness.methods.adversary import Adversary
from course_lib.fairness.methods.dfr import DFR
from course_lib.fairness.methods.fermi import FERMI
from course_lib.fairness.methods.forml import FORML, Exemplars
from course_lib.fairness.methods.jtt import JTT
from course_lib.fairness.methods.rpdro import RPDRO
from course_lib.fairness.methods.subg import SUBG
from course_lib.mitigation.methods import Methods
from course_lib.mitigation.methods.gdro import GDRO
from course_lib.mitigation.methods.resample import Resample
from course_lib.mitigation.methods.stdm import StdM
from course_lib.mitigation.methods.upwt import UpWt

__all__ = ["CONTROLS", "METHODS"]

BUILT_IN = {
    m.__name__: m for m in (StdM, UpWt, Resample, SUBG, GDRO, DFR, JTT, RPDRO, FERMI, Adversary, FORML, Exemplars)
}  # fmt: skip

METHODS = Methods("method", BUILT_IN)
CONTROLS = {"FORML": "Exemplars"}  # what a method must beat to be worth its trouble
