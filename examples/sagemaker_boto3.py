"""SageMaker's API through boto3, unmodified, from training to endpoint, on a server of our own.

Only the `clary` command at the beginning is Clary's; what follows is as it is written for AWS.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import time
from pathlib import Path

import boto3
import numpy as np
from sklearn.datasets import load_digits

os.environ["CLARY_ROOT"] = str(Path("clary-root").resolve())
server = subprocess.Popen(["clary", "up"])
while subprocess.run(["clary", "status"], capture_output=True, check=False).returncode:
    if server.poll() is not None:
        raise SystemExit("the server did not start")
    time.sleep(0.1)
variables = subprocess.check_output(["clary", "env", "--format", "dotenv"], text=True)
os.environ.update(line.split("=", 1) for line in variables.splitlines())

role = "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole"
image = "382416733822.dkr.ecr.us-east-1.amazonaws.com/kmeans:1"
rows = load_digits().data
s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
runtime = boto3.client("sagemaker-runtime")

text = io.StringIO()
np.savetxt(text, rows, delimiter=",", fmt="%g")
s3.create_bucket(Bucket="digits")
s3.put_object(Bucket="digits", Key="train/rows.csv", Body=text.getvalue())

sagemaker.create_training_job(
    TrainingJobName="digits",
    RoleArn=role,
    AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
    HyperParameters={"k": "10", "feature_dim": "64"},
    InputDataConfig=[
        {
            "ChannelName": "train",
            "ContentType": "text/csv",
            "DataSource": {
                "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://digits/train/"}
            },
        }
    ],
    OutputDataConfig={"S3OutputPath": "s3://digits/output"},
    ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
    StoppingCondition={"MaxRuntimeInSeconds": 600},
)
# The waiter of boto3 looks every two minutes; here that is long
job = sagemaker.describe_training_job(TrainingJobName="digits")
while job["TrainingJobStatus"] == "InProgress":
    time.sleep(0.2)
    job = sagemaker.describe_training_job(TrainingJobName="digits")
artifact = job["ModelArtifacts"]["S3ModelArtifacts"]
print(f"{job['TrainingJobStatus']}: {artifact}")
for metric in job["FinalMetricDataList"]:
    print(f"{metric['MetricName']} = {metric['Value']:.4g}")

sagemaker.create_model(
    ModelName="digits",
    ExecutionRoleArn=role,
    PrimaryContainer={"Image": image, "ModelDataUrl": artifact},
)
sagemaker.create_endpoint_config(
    EndpointConfigName="digits",
    ProductionVariants=[
        {
            "VariantName": "AllTraffic",
            "ModelName": "digits",
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
        }
    ],
)
sagemaker.create_endpoint(EndpointName="digits", EndpointConfigName="digits")
sagemaker.get_waiter("endpoint_in_service").wait(
    EndpointName="digits", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
)
answer = runtime.invoke_endpoint(
    EndpointName="digits", ContentType="text/csv", Body="\n".join(text.getvalue().split("\n")[:5])
)
for prediction in json.load(answer["Body"])["predictions"]:
    print(prediction)

sagemaker.delete_endpoint(EndpointName="digits")
subprocess.run(["clary", "down"], check=True)
