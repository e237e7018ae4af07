"""scikit-learn's linear SVM on vectors of an encoder: answers each line, a folder, with the accuracy on its test rows."""
import sys
import warnings

import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

warnings.filterwarnings("ignore")


def part(folder, name):
    labels = np.fromfile(f"{folder}/{name}-labels", dtype=np.int32)
    return np.fromfile(f"{folder}/{name}-vectors", dtype=np.float32).reshape(len(labels), -1), labels


def answer(folder):
    (x, y), (test, truth) = part(folder, "rows"), part(folder, "test")
    svm = make_pipeline(StandardScaler(), LinearSVC(dual=len(y) < x.shape[1], max_iter=3000, random_state=1))
    grid = {"linearsvc__C": [1e-5, 1e-4, 1e-3, 1e-2]}
    return GridSearchCV(svm, grid, cv=3).fit(x, y).score(test, truth)


print("ready", flush=True)
for line in sys.stdin:
    print(answer(line.strip()), flush=True)
