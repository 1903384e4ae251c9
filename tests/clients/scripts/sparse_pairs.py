"""SDK 2, digits: FactorizationMachines on sparse records of shades, and as a regressor."""

import io

import numpy as np
import sagemaker
from given import BUCKET, ROLE, arrays
from sagemaker import FactorizationMachines, FactorizationMachinesModel
from sagemaker.amazon.amazon_estimator import RecordSet
from sagemaker.amazon.common import write_spmatrix_to_sparse_tensor
from scipy.sparse import csr_matrix

digits = arrays("digits")
session = sagemaker.Session(default_bucket=BUCKET)


def shades(pixels):
    """A feature for each pixel and shade above 0: 1024, most of them 0."""
    row, pixel = np.nonzero(pixels)
    columns = pixel * 16 + pixels[row, pixel].astype(int) - 1
    ones = np.ones(len(row), dtype="float32")
    return csr_matrix((ones, (row, columns)), shape=(len(pixels), 1024))


def uploaded(name, rows, labels):
    """Sparse records in the bucket, as the guide's notebooks write them."""
    buffer = io.BytesIO()
    write_spmatrix_to_sparse_tensor(buffer, rows, labels)
    buffer.seek(0)
    key = f"pairs/{name}/rows.protobuf"
    session.boto_session.resource("s3").Object(BUCKET, key).upload_fileobj(buffer)
    where = f"s3://{BUCKET}/pairs/{name}"
    return RecordSet(where, rows.shape[0], 1024, s3_data_type="S3Prefix", channel=name)


train, test = shades(digits["train"]), shades(digits["test"])
odd = {part: (digits[f"{part}_label"] % 2).astype("float32") for part in ("train", "test")}
machine = FactorizationMachines(
    role=ROLE,
    instance_count=1,
    instance_type="ml.c5.xlarge",
    num_factors=16,
    predictor_type="binary_classifier",
    epochs=20,
    linear_lr=0.01,
    factors_lr=0.01,
    factors_wd=0.003,
    factors_init_method="uniform",
    factors_init_scale=0.1,
    output_path=f"s3://{BUCKET}/pairs/output",
    sagemaker_session=session,
)
sets = [uploaded("train", train, odd["train"]), uploaded("test", test, odd["test"])]
machine.fit(sets, mini_batch_size=100, logs=False)
scores = machine.training_job_analytics.dataframe()
values = dict(zip(scores["metric_name"], scores["value"], strict=True))
assert values["test:binary_classification_accuracy"] > 0.85

predictor = machine.deploy(initial_instance_count=1, instance_type="ml.m4.xlarge")
answers = predictor.predict(test[:100].toarray())
label = [one.label["predicted_label"].float32_tensor.values[0] for one in answers]
score = [one.label["score"].float32_tensor.values[0] for one in answers]
assert [one >= 0.5 for one in score] == [one == 1 for one in label]
assert np.mean(label == odd["test"][:100]) > 0.8
predictor.delete_model()
predictor.delete_endpoint()

diabetes = arrays("diabetes")
scale = np.abs(diabetes["train"]).max(axis=0)
regressor = FactorizationMachines(
    role=ROLE,
    instance_count=1,
    instance_type="ml.c5.xlarge",
    num_factors=4,
    predictor_type="regressor",
    epochs=100,
    bias_lr=3,
    linear_lr=1,
    data_location=f"s3://{BUCKET}/pairs/data",
    sagemaker_session=session,
)
rows, target = (diabetes["train"] / scale).astype("float32"), diabetes["train_label"]
regressor.fit(regressor.record_set(rows, target.astype("float32")), mini_batch_size=50, logs=False)
again = FactorizationMachinesModel(regressor.model_data, ROLE, sagemaker_session=session).deploy(
    initial_instance_count=1, instance_type="ml.m4.xlarge"
)
answers = again.predict((diabetes["test"] / scale).astype("float32"))
found = np.array([one.label["score"].float32_tensor.values[0] for one in answers])
error = np.sqrt(np.mean((found - diabetes["test_label"]) ** 2))
assert error < 1.05 * diabetes["boosted_error"]
again.delete_endpoint()
