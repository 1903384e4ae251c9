"""SDK 2, digits: is it a zero? Then: which digit is it? The generic estimator, then the class."""

import io

import boto3
import numpy as np
import sagemaker
import sagemaker.amazon.common as smac
from given import BUCKET, ROLE, arrays
from sagemaker import LinearLearner, image_uris
from sagemaker.deserializers import JSONDeserializer
from sagemaker.serializers import CSVSerializer

digits = arrays("digits")
session = sagemaker.Session(default_bucket=BUCKET)
region = boto3.Session().region_name
zero = (digits["train_label"] == 0).astype("float32")

# Rows as RecordIO-protobuf, written by the SDK itself
buffer = io.BytesIO()
smac.write_numpy_to_dense_tensor(buffer, digits["train"].astype("float32"), zero)
buffer.seek(0)
key = "linear/train/recordio-pb-data"
boto3.resource("s3").Bucket(BUCKET).Object(key).upload_fileobj(buffer)

estimator = sagemaker.estimator.Estimator(
    image_uris.retrieve("linear-learner", region),
    ROLE,
    instance_count=1,
    instance_type="ml.c4.xlarge",
    output_path=f"s3://{BUCKET}/linear/output",
    sagemaker_session=session,
)
estimator.set_hyperparameters(
    feature_dim=64, predictor_type="binary_classifier", mini_batch_size=100, epochs=10
)
estimator.fit({"train": f"s3://{BUCKET}/linear/train"})

predictor = estimator.deploy(
    initial_instance_count=1,
    instance_type="ml.m4.xlarge",
    serializer=CSVSerializer(),
    deserializer=JSONDeserializer(),
)
answers = predictor.predict(digits["test"])["predictions"]
found = np.array([answer["predicted_label"] for answer in answers])
accuracy = (found == (digits["test_label"] == 0)).mean()
# Zeros are told from the rest nearly without a fault by any linear model
assert accuracy > 0.97, accuracy
assert {"score", "predicted_label"} == set(answers[0])
predictor.delete_model()
predictor.delete_endpoint()

learner = LinearLearner(
    ROLE,
    instance_count=1,
    instance_type="ml.m4.xlarge",
    predictor_type="multiclass_classifier",
    num_classes=10,
    mini_batch_size=100,
    epochs=10,
    sagemaker_session=session,
)
label = digits["train_label"].astype("float32")
train = learner.record_set(digits["train"].astype("float32"), label)
test = learner.record_set(
    digits["test"].astype("float32"), digits["test_label"].astype("float32"), channel="test"
)
learner.fit([train, test], logs=False)
many = learner.deploy(initial_instance_count=1, instance_type="ml.m4.xlarge")
records = many.predict(digits["test"].astype("float32"))
found = np.array([record.label["predicted_label"].float32_tensor.values[0] for record in records])
accuracy = (found == digits["test_label"]).mean()
assert accuracy > digits["logistic_accuracy"] - 0.04, accuracy
metrics = learner.training_job_analytics.dataframe()
assert "test:multiclass_accuracy" in set(metrics["metric_name"]), metrics
final = learner.latest_training_job.describe()["FinalMetricDataList"]
(told,) = [one["Value"] for one in final if one["MetricName"] == "test:multiclass_accuracy"]
assert abs(told - accuracy) < 1e-6, (told, accuracy)
many.delete_model()
many.delete_endpoint()
