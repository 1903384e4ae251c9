#!/usr/bin/env bash
# Clary from the shell: look at data, rewrite it, train, score, look inside, predict.
set -euo pipefail

python - <<'END'
import numpy as np
from sklearn.datasets import load_iris
rows, kinds = load_iris(return_X_y=True)
table = np.column_stack([kinds, rows])[np.random.default_rng(0).permutation(len(rows))]
np.savetxt("train.csv", table[:100], fmt="%g", delimiter=",")
np.savetxt("test.csv", table[100:], fmt="%g", delimiter=",")
np.savetxt("new.csv", table[100:103, 1:], fmt="%g", delimiter=",")
END

clary check train.csv --algorithm xgboost
clary convert train.csv train.libsvm --label-size 1
clary train xgboost --train train.libsvm --validation test.csv --output model \
  -p objective=multi:softprob -p num_class=3 -p num_round=20
clary evaluate model --test test.csv
clary inspect model
clary predict model new.csv --accept text/csv
