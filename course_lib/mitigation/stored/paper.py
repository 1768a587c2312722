"""Numbers of the paper: R. Shrestha, K. Kafle, C. Kanan, arXiv 2104.00170, Biased MNIST at strength 0.7.

The accuracies are those of its table 1; the other numbers were read off its figures. Its author later reported a
fault in the data that were uploaded with it: the pattern is what can be compared, not the digits. Of its figure 3a
(improvement over StdM) there are no numbers here.
"""

# Unbiased accuracy (table 1).
ACCURACY = {
    "StdM": 0.420, "UpWt": 0.301, "GDRO": 0.272, "RUBi": 0.389, "LNL": 0.406, "IRMv1": 0.387, "LFF": 0.566, "SD": 0.413,
}  # fmt: skip

# Median MMD over variables (figure 3): of the variable that a method is told, and of the others.
EXPLICIT_MMD = {"UpWt": 0.04, "GDRO": 0.21, "RUBi": 0.04, "LNL": 0.17, "IRMv1": 0.32}
IMPLICIT_MMD = {
    "StdM": 0.30, "UpWt": 0.33, "GDRO": 0.33, "RUBi": 0.33, "LNL": 0.15, "IRMv1": 0.31, "LFF": 0.20, "SD": 0.31,
}  # fmt: skip

# Unbiased accuracy of methods that are told of one variable, and of all seven (the ends of figure 5's lines).
COUNTS = {"UpWt": (0.21, 0.44), "LNL": (0.44, 0.10), "RUBi": (0.34, 0.10), "GDRO": (0.25, 0.17), "IRMv1": (0.38, 0.22)}
