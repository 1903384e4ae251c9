"""SDK 2, digits: PCA, whose artifact notebooks open, and projections from an endpoint."""

import io
import tarfile

import boto3
import numpy as np
import sagemaker
from given import BUCKET, ROLE, arrays, key_of
from sagemaker import PCA, image_uris
from sagemaker.deserializers import JSONDeserializer
from sagemaker.serializers import CSVSerializer, JSONSerializer

digits = arrays("digits")
rows = digits["train"].astype("float32")
session = sagemaker.Session(default_bucket=BUCKET)
pca = PCA(
    role=ROLE,
    instance_count=1,
    instance_type="ml.c4.xlarge",
    num_components=5,
    subtract_mean=True,
    algorithm_mode="regular",
    sagemaker_session=session,
)
pca.fit(pca.record_set(rows), mini_batch_size=200, wait=False)
pca.latest_training_job.wait(logs=False)

bucket, key = key_of(pca.model_data)
body = boto3.client("s3").get_object(Bucket=bucket, Key=key)
with tarfile.open(fileobj=io.BytesIO(body["Body"].read())) as archive:
    assert "model_algo-1" in archive.getnames()

predictor = pca.deploy(initial_instance_count=1, instance_type="ml.t2.medium")
answers = predictor.predict(rows[:50])
found = np.array([answer.label["projection"].float32_tensor.values for answer in answers])
# scikit-learn's components, the largest last and up to their signs
wanted = ((rows[:50] - rows.mean(axis=0)) @ digits["components"].T)[:, ::-1]
assert np.allclose(np.abs(found), np.abs(wanted), atol=1e-2), np.abs(found - wanted).max()
predictor.delete_model()
predictor.delete_endpoint()

# The generic estimator over the same data, asked in CSV and in JSON
generic = sagemaker.estimator.Estimator(
    image_uris.retrieve("pca", boto3.Session().region_name),
    ROLE,
    instance_count=1,
    instance_type="ml.c4.xlarge",
    output_path=f"s3://{BUCKET}/pca/output",
    hyperparameters={"num_components": 5, "feature_dim": 64, "mini_batch_size": 200},
    sagemaker_session=session,
)
generic.fit({"train": pca.record_set(rows).records_s3_input()}, logs=False)
plain = generic.deploy(
    1, "ml.t2.medium", serializer=CSVSerializer(), deserializer=JSONDeserializer()
)
by_csv = [one["projection"] for one in plain.predict(rows[:50])["projections"]]
assert np.allclose(by_csv, found, atol=1e-2)
plain.serializer = JSONSerializer()
by_json = plain.predict({"instances": [{"features": row.tolist()} for row in rows[:50]]})
assert np.allclose([one["projection"] for one in by_json["projections"]], by_csv, atol=1e-4)
plain.delete_model()
plain.delete_endpoint()
