"""SDK 2, XGBoost: regression from libsvm, tumors from CSV with batch transform, digits in ten."""

import boto3
import numpy as np
import sagemaker
from given import BUCKET, ROLE, arrays, csv, files_of, key_of, libsvm
from sagemaker import image_uris
from sagemaker.deserializers import CSVDeserializer, StringDeserializer
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.serializers import CSVSerializer, LibSVMSerializer

session = sagemaker.Session(default_bucket=BUCKET)
region = boto3.Session().region_name
s3 = boto3.Session().resource("s3")


def put(name, body):
    s3.Bucket(BUCKET).Object(f"xgboost/{name}").put(Body=body)
    return f"s3://{BUCKET}/xgboost/{name}"


def estimator(version, **hyperparameters):
    return Estimator(
        image_uris.retrieve("xgboost", region, version),
        ROLE,
        instance_count=1,
        instance_type="ml.m5.2xlarge",
        volume_size=5,
        output_path=f"s3://{BUCKET}/xgboost/output",
        hyperparameters=hyperparameters,
        sagemaker_session=session,
    )


# Regression
diabetes = arrays("diabetes")
train = put("diabetes/train/rows.libsvm", libsvm(diabetes["train_label"], diabetes["train"]))
test = put("diabetes/validation/rows.libsvm", libsvm(diabetes["test_label"], diabetes["test"]))
regressor = estimator("1.7-1", objective="reg:squarederror", num_round=20, max_depth=3, eta=0.2)
regressor.fit(
    {
        "train": TrainingInput(train, content_type="libsvm"),
        "validation": TrainingInput(test, content_type="libsvm"),
    },
    logs=False,
)
frame = regressor.training_job_analytics.dataframe()
assert {"train:rmse", "validation:rmse"} <= set(frame["metric_name"]), frame
predictor = regressor.deploy(1, "ml.m4.xlarge", serializer=LibSVMSerializer())
predictor.deserializer = StringDeserializer(accept="text/csv")
body = libsvm(np.zeros(len(diabetes["test"])), diabetes["test"]).decode()
values = np.array(predictor.predict(body).replace("\n", ",").strip(",").split(","), float)
error = np.sqrt(np.mean((values - diabetes["test_label"]) ** 2))
assert error < 1.1 * diabetes["boosted_error"], error
predictor.delete_model()
predictor.delete_endpoint()

# Two classes
tumors = arrays("tumors")
train = put("tumors/train/rows.csv", csv(tumors["train_label"], tumors["train"]))
valid = put("tumors/validation/rows.csv", csv(tumors["test_label"], tumors["test"]))
classifier = estimator("1.5-1", objective="binary:logistic", num_round=30, subsample=0.8)
classifier.fit(
    {
        "train": TrainingInput(train, content_type="csv"),
        "validation": TrainingInput(valid, content_type="csv"),
    },
    logs=False,
)
predictor = classifier.deploy(
    1, "ml.m4.xlarge", serializer=CSVSerializer(), deserializer=CSVDeserializer()
)
answers = np.array(predictor.predict(tumors["test"]), float).ravel()
assert ((answers > 0.5) == tumors["test_label"]).mean() > 0.93
predictor.delete_endpoint()
batch = put("tumors/batch/rows.csv", csv(tumors["test"][:, 0], tumors["test"][:, 1:]))
transformer = classifier.transformer(1, "ml.m4.xlarge", assemble_with="Line", accept="text/csv")
transformer.transform(
    batch, content_type="text/csv", split_type="Line", join_source="Input", wait=False
)
transformer.wait(logs=False)
bucket, key = key_of(transformer.output_path)
text = s3.Bucket(bucket).Object(f"{key}/rows.csv.out").get()["Body"].read().decode()
joined = np.array([line.split(",") for line in text.strip().split("\n")], float)
assert np.allclose(joined[:, -1], answers, atol=1e-5)
assert np.allclose(joined[:, :-1], tumors["test"], rtol=1e-4)
attached = Estimator.attach(classifier.latest_training_job.name, sagemaker_session=session)
assert attached.model_data == classifier.model_data

# Ten classes
digits = arrays("digits")
train = put("digits/train/rows.csv", csv(digits["train_label"], digits["train"]))
many = estimator("1.2-2", objective="multi:softmax", num_class=10, num_round=10, max_depth=4)
many.fit({"train": TrainingInput(train, content_type="text/csv")}, logs=False)
bucket, key = key_of(many.model_data)
assert "xgboost-model" in files_of(s3.Bucket(bucket).Object(key).get()["Body"].read())
predictor = many.deploy(1, "ml.m4.xlarge", serializer=CSVSerializer())
predictor.deserializer = CSVDeserializer()
found = np.array(predictor.predict(digits["test"]), float).ravel()
assert (found == digits["test_label"]).mean() > 0.85
predictor.delete_model()
predictor.delete_endpoint()
