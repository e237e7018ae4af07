"""scikit-learn's linear models on the same sparse rows: answers each request, a line of JSON, with a line of JSON."""
import json
import sys
import time
import warnings

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

warnings.filterwarnings("ignore")


def rows(folder, part, columns):
    read = lambda name, dtype: np.fromfile(f"{folder}/{part}-{name}", dtype=dtype)
    weights, ids, offsets = read("weights", np.float32), read("ids", np.int32), read("offsets", np.int32)
    found = csr_matrix((weights.astype(np.float64), ids, offsets), shape=(len(offsets) - 1, columns))
    found.sort_indices()
    return found


def model_of(request):
    if request["loss"] == "logistic":
        return LogisticRegression(C=request["c"], tol=1e-6, max_iter=5000)
    # so large that the bias is hardly penalised, as ours is not
    return LinearSVC(C=request["c"], tol=1e-6, max_iter=1000, intercept_scaling=100, dual=False)


def answer(request):
    folder = request["dir"]
    x = rows(folder, "train", request["columns"])
    y = np.fromfile(f"{folder}/train-labels", dtype=np.int32)
    started = time.process_time()
    model = model_of(request).fit(x, y)
    seconds = time.process_time() - started
    scores = model.decision_function(rows(folder, "valid", request["columns"]))
    return {"scores": np.asarray(scores).reshape(-1).tolist(), "seconds": seconds}


print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
