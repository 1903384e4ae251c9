"""SDK 2, JumpStart: the tabular notebook's calls, and the estimator and the model of JumpStart."""

import json

import boto3
import numpy as np
import sagemaker
from given import BUCKET, ROLE, arrays, csv
from sagemaker import hyperparameters, image_uris, model_uris, script_uris
from sagemaker.estimator import Estimator
from sagemaker.jumpstart.estimator import JumpStartEstimator
from sagemaker.jumpstart.model import JumpStartModel
from sagemaker.jumpstart.notebook_utils import list_jumpstart_models
from sagemaker.utils import name_from_base

MODEL, VERSION = "xgboost-classification-model", "*"
session = sagemaker.Session(default_bucket=BUCKET)
runtime = boto3.client("runtime.sagemaker")
digits = arrays("digits")
for part, rows, label in (
    ("train", digits["train"], digits["train_label"]),
    ("validation", digits["test"], digits["test_label"]),
):
    body = csv(label, rows)
    boto3.client("s3").put_object(Bucket=BUCKET, Key=f"tabular/{part}/data.csv", Body=body)
data = f"s3://{BUCKET}/tabular/"
request = "\n".join(",".join(f"{x:g}" for x in row) for row in digits["test"])


def share_right(predictions):
    found = [int(np.argmax(one["score"])) for one in predictions]
    return float(np.mean(found == digits["test_label"]))


# As the notebook does it, piece by piece
pieces = {"model_id": MODEL, "model_version": VERSION}
image = image_uris.retrieve(
    region=None, framework=None, image_scope="training", instance_type="ml.m5.xlarge", **pieces
)
defaults = hyperparameters.retrieve_default(**pieces)
hyperparameters.validate(hyperparameters=defaults, **pieces)
defaults["num_boost_round"] = "40"
defaults["early_stopping_rounds"] = "5"
job = name_from_base(f"jumpstart-{MODEL}-training")
estimator = Estimator(
    role=ROLE,
    image_uri=image,
    source_dir=script_uris.retrieve(script_scope="training", **pieces),
    model_uri=model_uris.retrieve(model_scope="training", **pieces),
    entry_point="transfer_learning.py",
    instance_count=1,
    instance_type="ml.m5.xlarge",
    max_run=360000,
    hyperparameters=defaults,
    output_path=f"s3://{BUCKET}/jumpstart/output",
    sagemaker_session=session,
)
estimator.fit({"training": data}, logs=False, job_name=job)
described = session.describe_training_job(job)
assert described["HyperParameters"]["num_boost_round"] == '"40"', described
assert "validation:mlogloss" in {one["MetricName"] for one in described["FinalMetricDataList"]}
endpoint = name_from_base("jumpstart-example")
predictor = estimator.deploy(
    initial_instance_count=1,
    instance_type="ml.m5.large",
    entry_point="inference.py",
    image_uri=image_uris.retrieve(
        region=None, framework=None, image_scope="inference", instance_type="ml.m5.large", **pieces
    ),
    source_dir=script_uris.retrieve(script_scope="inference", **pieces),
    endpoint_name=endpoint,
    enable_network_isolation=True,
)
answer = runtime.invoke_endpoint(
    EndpointName=endpoint, ContentType="text/csv", Accept="application/json", Body=request
)
right = share_right(json.loads(answer["Body"].read())["predictions"])
assert right > 0.9, right
predictor.delete_model()
predictor.delete_endpoint()

# All of it from the model's id
assert {MODEL, "xgboost-regression-model"} <= set(list_jumpstart_models())
estimator = JumpStartEstimator(
    model_id=MODEL, role=ROLE, sagemaker_session=session, hyperparameters={"num_boost_round": "40"}
)
estimator.fit({"training": data}, logs=False)
predictor = estimator.deploy()
right = share_right(predictor.predict(request)["predictions"])
assert right > 0.9, right
predictor.delete_predictor()
untrained = JumpStartModel(model_id=MODEL, role=ROLE, sagemaker_session=session)
assert f"/{MODEL}:" in untrained.image_uri
