"""SDK 2, digits: the KNN class with record sets, verbose answers, and k changed after training."""

import io
import json
import tarfile

import boto3
import numpy as np
import sagemaker
from given import BUCKET, ROLE, arrays, key_of
from sagemaker import KNN, KNNModel
from sagemaker.deserializers import JSONDeserializer
from sagemaker.serializers import CSVSerializer

digits = arrays("digits")
rows, label = digits["train"].astype("float32"), digits["train_label"].astype("float32")
asked, wanted = digits["test"].astype("float32"), digits["test_label"].astype("float32")
session = sagemaker.Session(default_bucket=BUCKET)
knn = KNN(
    role=ROLE,
    instance_count=2,
    instance_type="ml.m5.xlarge",
    output_path=f"s3://{BUCKET}/knn/output",
    data_location=f"s3://{BUCKET}/knn/data",
    k=5,
    sample_size=1200,
    predictor_type="classifier",
    dimension_reduction_type="fjlt",
    dimension_reduction_target=40,
    index_type="faiss.IVFFlat",
    sagemaker_session=session,
)
test = knn.record_set(asked, wanted, channel="test")
knn.fit([knn.record_set(rows, label), test], mini_batch_size=100, logs=False)
told = {
    one["MetricName"]: one["Value"]
    for one in knn.latest_training_job.describe()["FinalMetricDataList"]
}
predictor = knn.deploy(initial_instance_count=1, instance_type="ml.m5.large")
records = predictor.predict(asked)
found = np.array([one.label["predicted_label"].float32_tensor.values[0] for one in records])
accuracy = (found == wanted).mean()
# Exact search over all dimensions tells 0.99 of them
assert accuracy > 0.94, accuracy
assert abs(told["test:accuracy"] - accuracy) < 1e-6, told

# k is changed in the artifact, which is a folder of SageMaker's three files
bucket, key = key_of(knn.model_data)
archive = io.BytesIO(boto3.resource("s3").Object(bucket, key).get()["Body"].read())
changed = io.BytesIO()
with tarfile.open(fileobj=archive) as before, tarfile.open(fileobj=changed, mode="w:gz") as after:
    for member in before.getmembers():
        body = before.extractfile(member).read()
        if member.name == "model_algo-1.json":
            body = json.dumps(json.loads(body) | {"k": 3}).encode()
        member.size = len(body)
        after.addfile(member, io.BytesIO(body))
boto3.resource("s3").Object(BUCKET, "knn/changed/model.tar.gz").put(Body=changed.getvalue())
again = KNNModel(f"s3://{BUCKET}/knn/changed/model.tar.gz", ROLE, sagemaker_session=session).deploy(
    initial_instance_count=1,
    instance_type="ml.m5.large",
    serializer=CSVSerializer(),
    deserializer=JSONDeserializer(accept="application/json; verbose=true"),
)
answers = again.predict(asked[:50])["predictions"]
assert all(len(one["labels"]) == len(one["distances"]) == 3 for one in answers)
assert all(one["distances"] == sorted(one["distances"]) for one in answers)
assert {"predicted_label"} == set(
    again.predict(asked[:1], initial_args={"Accept": "application/json"})["predictions"][0]
)
again.delete_model()
again.delete_endpoint()
predictor.delete_model()
predictor.delete_endpoint()
