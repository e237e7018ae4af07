"""Optuna's side of the tuning benchmark: answers `new SEED DIMENSIONS` and every value told with the next point as JSON."""
import json
import sys

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
print("ready", flush=True)
for line in sys.stdin:
    words = line.split()
    if words[0] == "new":
        seed, dimensions = int(words[1]), int(words[2])
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    else:
        study.tell(trial, float(words[1]))
    trial = study.ask()
    print(json.dumps([trial.suggest_float(f"x{i}", -5, 5) for i in range(dimensions)]), flush=True)
