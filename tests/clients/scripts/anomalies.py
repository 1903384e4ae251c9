"""SDK 2, digits: RandomCutForest with a test channel, and an endpoint that follows a stream."""

import boto3
import numpy as np
import sagemaker
from given import BUCKET, ROLE, arrays
from sagemaker import RandomCutForest
from sagemaker.deserializers import JSONDeserializer
from sagemaker.serializers import CSVSerializer

digits = arrays("digits")
rows = digits["train"].astype("float32")
session = sagemaker.Session(default_bucket=BUCKET)
forest = RandomCutForest(
    role=ROLE,
    instance_count=2,
    instance_type="ml.c4.xlarge",
    data_location=f"s3://{BUCKET}/forest/data",
    output_path=f"s3://{BUCKET}/forest/output",
    num_samples_per_tree=20,
    num_trees=50,
    eval_metrics=["accuracy", "precision_recall_fscore"],
    sagemaker_session=session,
)
# Noise of the pixels' own range is unlike any digit
noise = np.random.default_rng(0).uniform(0, 16, (40, rows.shape[1])).astype("float32")
label = np.concatenate([np.zeros(len(rows)), np.ones(len(noise))]).astype("float32")
test = forest.record_set(np.concatenate([rows, noise]), labels=label, channel="test")
forest.fit([forest.record_set(rows), test], logs=False)
told = boto3.client("sagemaker").describe_training_job(
    TrainingJobName=forest.latest_training_job.name
)
metrics = {one["MetricName"]: one["Value"] for one in told["FinalMetricDataList"]}
assert metrics["test:f1"] > 0.5, metrics

predictor = forest.deploy(initial_instance_count=1, instance_type="ml.m4.xlarge")
answers = predictor.predict(np.concatenate([rows[:200], noise]))
scores = np.array([answer.label["score"].float32_tensor.values[0] for answer in answers])
assert np.median(scores[200:]) > np.quantile(scores[:200], 0.95)
again = predictor.predict(rows[:1])[0].label["score"].float32_tensor.values[0]
assert again == scores[0]

# Beyond SageMaker: with this in its environment, a model learns from what it is asked
following = forest.create_model(env={"CLARY_UPDATE": "true"}).deploy(
    initial_instance_count=1,
    instance_type="ml.m4.xlarge",
    serializer=CSVSerializer(),
    deserializer=JSONDeserializer(),
)
heard = [following.predict(noise[:1] + step / 100)["scores"][0]["score"] for step in range(60)]
assert np.mean(heard[-5:]) < 0.9 * heard[0], heard
for each in (predictor, following):
    each.delete_model()
    each.delete_endpoint()
