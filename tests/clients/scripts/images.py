"""SDK 2: every image of a built-in algorithm; one of each set of accounts in every region."""

import json
from pathlib import Path

import sagemaker
from sagemaker import image_uris

NAMES = (
    *("linear-learner", "kmeans", "pca", "knn", "randomcutforest", "ipinsights", "lda", "ntm"),
    *("factorization-machines", "object2vec", "blazingtext", "seq2seq", "forecasting-deepar"),
    *("image-classification", "object-detection", "semantic-segmentation", "xgboost"),
)
SETS = {"linear-learner", "lda", "blazingtext", "forecasting-deepar", "xgboost"}
folder = Path(sagemaker.__file__).parent / "image_uri_config"
for name in NAMES:
    told = json.loads((folder / f"{name}.json").read_text())
    known = told.get("training", told)
    newest = list(known["versions"])[-1]
    regions = known["versions"][newest]["registries"] if name in SETS else ()
    asked = [(region, newest) for region in regions]
    versions = [*known["versions"], *known.get("version_aliases", {}), "latest"]
    asked += [("us-west-2", version) for version in versions]
    for region, version in asked:
        uri = image_uris.retrieve(name, region, version, instance_type="ml.m5.xlarge")
        print(f"image {name} {uri}")
