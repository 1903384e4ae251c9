"""SDK 3, JumpStart: a trainer from a model's id."""

import boto3
from given import BUCKET, ROLE, arrays, csv
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.jumpstart import JumpStartConfig
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData

digits = arrays("digits")
body = csv(digits["train_label"], digits["train"])
boto3.client("s3").put_object(Bucket=BUCKET, Key="tabular3/train/data.csv", Body=body)
trainer = ModelTrainer.from_jumpstart_config(
    JumpStartConfig(model_id="xgboost-classification-model"),
    role=ROLE,
    sagemaker_session=Session(default_bucket=BUCKET),
    compute=Compute(instance_type="ml.c5.2xlarge", instance_count=1),
    hyperparameters={"num_boost_round": 12},
    base_job_name="jumpstart-of-sdk3",
    input_data_config=[InputData(channel_name="training", data_source=f"s3://{BUCKET}/tabular3/")],
)
trainer.train(logs=False)
client = boto3.client("sagemaker")
(newest,) = client.list_training_jobs(
    NameContains="jumpstart-of-sdk3", SortOrder="Descending", MaxResults=1
)["TrainingJobSummaries"]
job = client.describe_training_job(TrainingJobName=newest["TrainingJobName"])
assert job["TrainingJobStatus"] == "Completed", job
assert job["HyperParameters"]["num_boost_round"] == "12", job
