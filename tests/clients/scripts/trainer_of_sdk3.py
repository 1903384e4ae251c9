"""SDK 3, digits: ModelTrainer, then models, endpoints and batch transform as its resources."""

import boto3
import numpy as np
from given import BUCKET, ROLE, arrays, csv, key_of, unique
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.resources import Endpoint, EndpointConfig, Model, TrainingJob, TransformJob
from sagemaker.core.shapes import (
    ContainerDefinition,
    OutputDataConfig,
    ProductionVariant,
    TransformDataSource,
    TransformInput,
    TransformOutput,
    TransformResources,
    TransformS3DataSource,
)
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData

digits = arrays("digits")
s3 = boto3.client("s3")
train = f"s3://{BUCKET}/sdk3/train/rows.csv"
s3.put_object(Bucket=BUCKET, Key=key_of(train)[1], Body=csv(digits["train_label"], digits["train"]))
image = image_uris.retrieve("xgboost", boto3.Session().region_name, "1.7-1")
trainer = ModelTrainer(
    training_image=image,
    role=ROLE,
    base_job_name="digits",
    sagemaker_session=Session(default_bucket=BUCKET),
    compute=Compute(instance_type="ml.m5.xlarge", instance_count=1),
    hyperparameters={"objective": "multi:softmax", "num_class": 10, "num_round": 10},
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{BUCKET}/sdk3/output"),
)
inputs = InputData(channel_name="train", data_source=train, content_type="text/csv")
trainer.train(input_data_config=[inputs], wait=True, logs=True)
job = TrainingJob.get(trainer._latest_training_job.training_job_name)
assert job.training_job_status == "Completed", job.failure_reason
metrics = {one.metric_name: one.value for one in job.final_metric_data_list}
assert metrics["train:mlogloss"] < 1

name = unique("sdk3")
container = ContainerDefinition(image=image, model_data_url=job.model_artifacts.s3_model_artifacts)
model = Model.create(model_name=name, primary_container=container, execution_role_arn=ROLE)
config = EndpointConfig.create(
    endpoint_config_name=name,
    production_variants=[
        ProductionVariant(
            variant_name="AllTraffic",
            model_name=name,
            instance_type="ml.m5.xlarge",
            initial_instance_count=1,
        )
    ],
)
endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=name)
endpoint.wait_for_status("InService")
answer = endpoint.invoke(
    body=csv(digits["test"][:, 0], digits["test"][:, 1:]), content_type="text/csv"
)
told = answer.body.read().decode().replace("\n", ",").strip(",").split(",")
found = np.array(told, float)
assert (found == digits["test_label"]).mean() > 0.85

s3.put_object(
    Bucket=BUCKET,
    Key="sdk3/batch/rows.csv",
    Body=csv(digits["test"][:, 0], digits["test"][:, 1:]),
)
source = TransformS3DataSource(s3_data_type="S3Prefix", s3_uri=f"s3://{BUCKET}/sdk3/batch")
transform = TransformJob.create(
    transform_job_name=name,
    model_name=name,
    transform_input=TransformInput(
        data_source=TransformDataSource(s3_data_source=source),
        content_type="text/csv",
        split_type="Line",
    ),
    transform_output=TransformOutput(
        s3_output_path=f"s3://{BUCKET}/sdk3/answers", assemble_with="Line"
    ),
    transform_resources=TransformResources(instance_type="ml.m5.xlarge", instance_count=1),
)
transform.wait()
body = s3.get_object(Bucket=BUCKET, Key="sdk3/answers/rows.csv.out")["Body"].read().decode()
assert [float(line) for line in body.split()] == found.tolist()
endpoint.delete()
endpoint.wait_for_delete()
config.delete()
model.delete()
names = [one.training_job_name for one in TrainingJob.get_all(name_contains="digits")]
assert job.training_job_name in names
