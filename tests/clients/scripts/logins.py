"""SDK 2, logins: the IPInsights class on CSV that nothing names so, and verbose answers."""

import boto3
import numpy as np
import sagemaker
from given import BUCKET, ROLE
from sagemaker import IPInsights
from sagemaker.amazon.amazon_estimator import RecordSet
from sagemaker.deserializers import JSONDeserializer
from sagemaker.serializers import JSONSerializer


def pairs(count, seed):
    """People who always come from the same two octets."""
    who = np.random.default_rng(seed).integers(0, 100, count)
    ends = np.random.default_rng(seed + 1).integers(0, 256, (count, 2))
    return [
        (f"person {one}", f"{one + 20}.{one * 2}.{a}.{b}")
        for one, (a, b) in zip(who, ends, strict=True)
    ]


def kept(name, rows):
    """Pairs as a set of records of SDK 2, which says no content type."""
    text = "".join(f"{who}, {ip}\n" for who, ip in rows)
    boto3.resource("s3").Object(BUCKET, f"logins/{name}").put(Body=text.encode())


for part in range(2):
    kept(f"train/{part}", pairs(4000, part))
    kept(f"validation/{part}", pairs(500, 10 + part))
session = sagemaker.Session(default_bucket=BUCKET)
insights = IPInsights(
    role=ROLE,
    instance_count=2,
    instance_type="ml.c5.xlarge",
    output_path=f"s3://{BUCKET}/logins/output",
    num_entity_vectors=1000,
    vector_dim=16,
    epochs=6,
    learning_rate=0.01,
    sagemaker_session=session,
)
channels = [
    RecordSet(f"s3://{BUCKET}/logins/{name}/", count, 2, "S3Prefix", name)
    for name, count in (("train", 8000), ("validation", 1000))
]
insights.fit(channels, mini_batch_size=400, logs=False)
told = insights.latest_training_job.describe()
assert told["HyperParameters"]["feature_dim"] == "2"
metrics = {one["MetricName"]: one["Value"] for one in told["FinalMetricDataList"]}
assert metrics["validation:discriminator_auc"] > 0.95, metrics

predictor = insights.deploy(initial_instance_count=1, instance_type="ml.m5.large")
asked = np.array([("person 7", "27.14.3.3"), ("person 7", "99.158.3.3")])
usual, strange = (one["dot_product"] for one in predictor.predict(asked)["predictions"])
assert usual > 0 > strange, (usual, strange)

predictor.serializer = JSONSerializer()
predictor.deserializer = JSONDeserializer(accept="application/json; verbose=True")
body = {"instances": [{"data": {"features": {"values": asked[0].tolist()}}}]}
[answer] = predictor.predict(body)["predictions"]
product = np.dot(answer["entity_embedding"], answer["ip_embedding"])
assert abs(product - usual) < 1e-3, answer

predictor.serializer = sagemaker.serializers.CSVSerializer()
try:
    predictor.predict(np.array([("person 7", "999.1.2.3")]))
except session.sagemaker_runtime_client.exceptions.ModelError as refused:
    assert "line 1, column 2 (ip)" in str(refused), refused
else:
    raise AssertionError("999.1.2.3 was answered")
predictor.delete_model()
predictor.delete_endpoint()
