"""boto3 alone, digits: k-means with waiters, an endpoint, a batch transform, a model refused."""

import io
import json
import time

import boto3
import numpy as np
from botocore.exceptions import ClientError
from given import BUCKET, ROLE, arrays, csv, unique

digits = arrays("digits")
rows = digits["train"]
image = "382416733822.dkr.ecr.us-east-1.amazonaws.com/kmeans:1"
client, runtime, s3 = (boto3.client(name) for name in ("sagemaker", "sagemaker-runtime", "s3"))
text = io.StringIO()
np.savetxt(text, rows, delimiter=",", fmt="%g")
s3.put_object(Bucket=BUCKET, Key="low/train/rows.csv", Body=text.getvalue().encode())

name = unique("kmeans-lowlevel")
source = {
    "S3DataType": "S3Prefix",
    "S3Uri": f"s3://{BUCKET}/low/train/",
    "S3DataDistributionType": "FullyReplicated",
}
request = {
    "TrainingJobName": name,
    "RoleArn": ROLE,
    "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/low/output"},
    "ResourceConfig": {"InstanceCount": 2, "InstanceType": "ml.c4.8xlarge", "VolumeSizeInGB": 50},
    "HyperParameters": {"k": "10", "feature_dim": "64", "mini_batch_size": "200"},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    "InputDataConfig": [
        {
            "ChannelName": "train",
            "DataSource": {"S3DataSource": source},
            "ContentType": "text/csv",
            "CompressionType": "None",
            "RecordWrapperType": "None",
        }
    ],
}
client.create_training_job(**request)
client.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=name)
job = client.describe_training_job(TrainingJobName=name)
assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")

container = {"Image": image, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]}
client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
client.create_endpoint_config(
    EndpointConfigName=name,
    ProductionVariants=[
        {
            "InstanceType": "ml.m4.xlarge",
            "InitialInstanceCount": 1,
            "ModelName": name,
            "VariantName": "AllTraffic",
        }
    ],
)
client.create_endpoint(EndpointName=name, EndpointConfigName=name)
client.get_waiter("endpoint_in_service").wait(EndpointName=name)
answer = runtime.invoke_endpoint(
    EndpointName=name, ContentType="text/csv", Body=csv(rows[:100, 0], rows[:100, 1:])
)
told = json.loads(answer["Body"].read())["predictions"]
assert len(told) == 100
assert {"closest_cluster", "distance_to_cluster"} == set(told[0])
assert answer["InvokedProductionVariant"] == "AllTraffic"
try:
    runtime.invoke_endpoint(EndpointName=name, ContentType="image/png", Body=b"not a picture")
    raise AssertionError("a picture was taken")
except ClientError as error:
    assert error.response["Error"]["Code"] == "ModelError"
    assert error.response["OriginalStatusCode"] in range(400, 500), error.response

s3.put_object(Bucket=BUCKET, Key="low/batch/a.csv", Body=csv(rows[:100, 0], rows[:100, 1:]))
client.create_transform_job(
    TransformJobName=name,
    ModelName=name,
    TransformInput={
        "DataSource": {
            "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/low/batch"}
        },
        "ContentType": "text/csv",
        "SplitType": "Line",
    },
    TransformOutput={
        "S3OutputPath": f"s3://{BUCKET}/low/answers",
        "Accept": "application/jsonlines",
        "AssembleWith": "Line",
    },
    TransformResources={"InstanceType": "ml.m4.xlarge", "InstanceCount": 1},
)
client.get_waiter("transform_job_completed_or_stopped").wait(TransformJobName=name)
body = s3.get_object(Bucket=BUCKET, Key="low/answers/a.csv.out")["Body"].read().decode()
assert [json.loads(line) for line in body.strip().split("\n")] == told

logs = boto3.client("logs")
streams = logs.describe_log_streams(
    logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{name}/"
)["logStreams"]
assert len(streams) == 2
client.delete_endpoint(EndpointName=name)
client.get_waiter("endpoint_deleted").wait(EndpointName=name)
client.delete_endpoint_config(EndpointConfigName=name)
client.delete_model(ModelName=name)
try:
    client.describe_model(ModelName=name)
    raise AssertionError("the model is still there")
except ClientError as error:
    assert "Could not find model" in str(error), error

# Stopped in the middle
stopped = unique("stopped")
long = {**request["HyperParameters"], "epochs": "1000000"}
client.create_training_job(**{**request, "TrainingJobName": stopped, "HyperParameters": long})
while client.describe_training_job(TrainingJobName=stopped)["SecondaryStatus"] != "Training":
    time.sleep(0.1)
client.stop_training_job(TrainingJobName=stopped)
client.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=stopped)
assert client.describe_training_job(TrainingJobName=stopped)["TrainingJobStatus"] == "Stopped"
