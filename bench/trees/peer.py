"""XGBoost's and scikit-learn's side of the bench of trees: answers each request, a line of JSON, with a line of JSON."""
import json
import resource
import sys
import time

import numpy as np

library = sys.argv[1]
if library == "xgboost":
    import xgboost
else:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor


def fit_xgboost(request, x, y, test):
    table = request["table"]
    classes = table["classes"]
    types = ["c" if c in table["categorical"] else "q" for c in range(table["columns"])]
    parameters = {
        "objective": "reg:squarederror" if classes == 0 else "binary:logistic" if classes == 2 else "multi:softprob",
        "tree_method": "hist", "grow_policy": "lossguide", "max_depth": 0, "max_leaves": 31, "max_bin": 255,
        "eta": request["learningRate"], "subsample": request["rowShare"], "colsample_bytree": request["columnShare"],
        "lambda": 1, "min_child_weight": 1, "nthread": request["threads"], "seed": request["fold"],
    }
    if classes > 2:
        parameters["num_class"] = classes
    start, cpu = time.perf_counter(), time.process_time()
    data = xgboost.QuantileDMatrix(x, label=y, feature_types=types, enable_categorical=True, max_bin=255,
                                   nthread=request["threads"])
    model = xgboost.train(parameters, data, request["rounds"])
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answers = model.predict(xgboost.DMatrix(test, feature_types=types, enable_categorical=True))
    return seconds, cpu, peak, np.column_stack([1 - answers, answers]) if classes == 2 else answers


def fit_sklearn(request, x, y, test):
    table = request["table"]
    options = {
        "max_iter": request["rounds"], "learning_rate": request["learningRate"], "max_leaf_nodes": 31, "max_bins": 255,
        "l2_regularization": 1, "early_stopping": False, "categorical_features": table["categorical"] or None,
        "max_features": float(request["columnShare"]), "random_state": request["fold"],
    }
    start, cpu = time.perf_counter(), time.process_time()
    if table["classes"] == 0:
        model = HistGradientBoostingRegressor(**options).fit(x, y)
    else:
        model = HistGradientBoostingClassifier(**options).fit(x, y)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return seconds, cpu, peak, model.predict(test) if table["classes"] == 0 else model.predict_proba(test)


def answer(request):
    table = request["table"]
    folder = table["dir"]
    x = np.fromfile(f"{folder}/x.f32", dtype=np.float32).reshape(table["columns"], table["rows"]).T
    y = np.fromfile(f"{folder}/y.f32", dtype=np.float32)
    is_test = np.fromfile(f"{folder}/fold.u8", dtype=np.uint8) == request["fold"]
    fit = fit_xgboost if library == "xgboost" else fit_sklearn
    train, held_out = np.ascontiguousarray(x[~is_test]), np.ascontiguousarray(x[is_test])
    seconds, cpu, peak, answers = fit(request, train, y[~is_test], held_out)
    truth = y[is_test]
    result = {"seconds": seconds, "cpuSeconds": cpu, "peakMb": round(peak / 1024), "logLoss": 0}
    if table["classes"] == 0:
        result["score"] = float(np.sqrt(np.mean((answers - truth) ** 2)))
    else:
        own = answers[np.arange(len(truth)), truth.astype(int)]
        result["score"] = float(np.mean(answers.argmax(1) == truth))
        result["logLoss"] = float(-np.mean(np.log(np.maximum(own, 1e-15))))
    return result


print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
