"""SDK 2, digits: the KMeans class with record sets, one pass and several, then batch transform."""

import json

import numpy as np
import sagemaker
from given import BUCKET, ROLE, arrays, csv
from sagemaker import KMeans, KMeansModel
from sagemaker.s3 import S3Downloader, S3Uploader

digits = arrays("digits")
rows = digits["train"].astype("float32")
session = sagemaker.Session(default_bucket=BUCKET)
kmeans = KMeans(
    role=ROLE,
    instance_count=2,
    instance_type="ml.c4.8xlarge",
    output_path=f"s3://{BUCKET}/kmeans/output",
    k=10,
    data_location=f"s3://{BUCKET}/kmeans/data",
    sagemaker_session=session,
)
kmeans.fit(kmeans.record_set(rows), mini_batch_size=200, logs=False)
predictor = kmeans.deploy(initial_instance_count=1, instance_type="ml.m4.xlarge")
answers = predictor.predict(rows[:500])
cluster = [answer.label["closest_cluster"].float32_tensor.values[0] for answer in answers]
distance = [answer.label["distance_to_cluster"].float32_tensor.values[0] for answer in answers]
assert set(cluster) <= set(range(10))
assert len(set(cluster)) > 5
# One pass over the rows stays within a few percent of scikit-learn's best
assert np.mean(np.square(distance)) < 1.1 * digits["inertia"] / len(rows)

attached = KMeans.attach(kmeans.latest_training_job.name, sagemaker_session=session)
assert attached.hyperparameters()["k"] == "10"
assert attached.model_data == kmeans.model_data

# The same model, from its artifact, on an endpoint of another name
again = KMeansModel(kmeans.model_data, ROLE, sagemaker_session=session).deploy(
    initial_instance_count=1, instance_type="ml.m4.xlarge"
)
second = again.predict(rows[:5])
assert [one.label["closest_cluster"].float32_tensor.values[0] for one in second] == cluster[:5]
again.delete_endpoint()

S3Uploader.upload_string_as_file_body(
    csv(rows[:300, 0], rows[:300, 1:]).decode(),
    f"s3://{BUCKET}/kmeans/batch/rows.csv",
    sagemaker_session=session,
)
transformer = kmeans.transformer(
    instance_count=1,
    instance_type="ml.m4.xlarge",
    output_path=f"s3://{BUCKET}/kmeans/answers",
    assemble_with="Line",
    accept="application/jsonlines",
)
transformer.transform(
    f"s3://{BUCKET}/kmeans/batch", content_type="text/csv", split_type="Line", logs=False
)
text = S3Downloader.read_file(f"{transformer.output_path}/rows.csv.out", session)
batch = [json.loads(line)["closest_cluster"] for line in text.strip().split("\n")]
assert batch == cluster[:300]
transformer.delete_model()
predictor.delete_model()
predictor.delete_endpoint()
