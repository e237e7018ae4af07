"""XGBoost's and scikit-learn's side of the bench of tables: answers each request, a line of JSON, with a line of JSON."""
import json
import sys
import time

import numpy as np

library = sys.argv[1]
if library == "xgboost":
    from xgboost import XGBClassifier, XGBRegressor
else:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

tuned = {
    "xgboost": {"n_estimators": 200, "learning_rate": 0.05, "subsample": 0.8, "colsample_bytree": 0.8},
    # it has no share of rows; its share of columns is drawn at each split
    "sklearn": {"max_iter": 200, "learning_rate": 0.05, "max_features": 0.8},
}


def model_of(request):
    table = request["table"]
    seed = request["fold"]
    options = tuned[library] if request["tuned"] else {}
    if library == "xgboost":
        types = ["c" if c in table["categorical"] else "q" for c in range(table["columns"])]
        shared = {"feature_types": types, "enable_categorical": True, "tree_method": "hist", "n_jobs": 1}
        kind = XGBRegressor if table["classes"] == 0 else XGBClassifier
    else:
        shared = {"categorical_features": table["categorical"] or None}
        kind = HistGradientBoostingRegressor if table["classes"] == 0 else HistGradientBoostingClassifier
    return kind(random_state=seed, **shared, **options)


def answer(request):
    table = request["table"]
    folder = table["dir"]
    x = np.fromfile(f"{folder}/x.f32", dtype=np.float32).reshape(table["columns"], table["rows"]).T
    y = np.fromfile(f"{folder}/y.f32", dtype=np.float32)
    y = y if table["classes"] == 0 else y.astype(int)
    is_test = np.fromfile(f"{folder}/fold-{request['repeat']}.u8", dtype=np.uint8) == request["fold"]
    cpu = time.process_time()
    model = model_of(request).fit(np.ascontiguousarray(x[~is_test]), y[~is_test])
    answers = model.predict(np.ascontiguousarray(x[is_test]))
    seconds = time.process_time() - cpu
    apart = answers - y[is_test]
    loss = np.sqrt(np.mean(apart**2)) if table["classes"] == 0 else np.mean(apart != 0)
    return {"loss": float(loss), "seconds": seconds}


print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
