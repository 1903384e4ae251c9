# The `aws` command: S3, a training job and its log, a model, an endpoint, from JSON and from flags.
set -euo pipefail

bucket=s3://notebooks/commands
image=382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1
role=arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole
name=commands-$RANDOM-$RANDOM

aws s3 ls | grep notebooks > /dev/null
mkdir -p up/train up/rows
cp digits.csv up/train/
head -n 20 digits.csv | cut -d, -f2- > up/rows/rows.csv
aws s3 sync up "$bucket" --only-show-errors
aws s3 ls --recursive "$bucket/" | grep -c csv | grep -x 2 > /dev/null
aws s3 cp "$bucket/train/digits.csv" back.csv --only-show-errors
cmp digits.csv back.csv
aws s3 presign "$bucket/rows/rows.csv" > url
python -c 'import urllib.request; print(urllib.request.urlopen(open("url").read()).read().decode())' \
  | grep . > /dev/null

cat > job.json <<END
{
  "TrainingJobName": "$name",
  "AlgorithmSpecification": {"TrainingImage": "$image", "TrainingInputMode": "File"},
  "RoleArn": "$role",
  "InputDataConfig": [{
    "ChannelName": "train", "ContentType": "text/csv",
    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "$bucket/train/"}}
  }],
  "OutputDataConfig": {"S3OutputPath": "$bucket/output"},
  "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
  "StoppingCondition": {"MaxRuntimeInSeconds": 600},
  "HyperParameters": {
    "predictor_type": "multiclass_classifier", "num_classes": "10", "feature_dim": "64",
    "mini_batch_size": "100"
  }
}
END
aws sagemaker create-training-job --cli-input-json file://job.json \
  --tags Key=team,Value=shell --query TrainingJobArn --output text | grep "training-job/$name" > /dev/null
aws sagemaker wait training-job-completed-or-stopped --training-job-name "$name"
status=$(aws sagemaker describe-training-job --training-job-name "$name" \
  --query TrainingJobStatus --output text)
test "$status" = Completed
artifact=$(aws sagemaker describe-training-job --training-job-name "$name" \
  --query ModelArtifacts.S3ModelArtifacts --output text)
aws s3 cp "$artifact" model.tar.gz --only-show-errors
tar tzf model.tar.gz | grep model_algo-1 > /dev/null
aws sagemaker list-training-jobs --name-contains commands --sort-by CreationTime \
  --query 'TrainingJobSummaries[].TrainingJobName' --output text | grep "$name" > /dev/null

stream=$(aws logs describe-log-streams --log-group-name /aws/sagemaker/TrainingJobs \
  --log-stream-name-prefix "$name/" --query 'logStreams[0].logStreamName' --output text)
aws logs get-log-events --log-group-name /aws/sagemaker/TrainingJobs \
  --log-stream-name "$stream" --start-from-head --output text | grep '#quality_metric' > /dev/null
aws logs filter-log-events --log-group-name /aws/sagemaker/TrainingJobs \
  --log-stream-name-prefix "$name/" --filter-pattern quality_metric --output text | grep '#quality_metric' > /dev/null

aws sagemaker create-model --model-name "$name" --execution-role-arn "$role" \
  --primary-container "Image=$image,ModelDataUrl=$artifact" > /dev/null
aws sagemaker create-endpoint-config --endpoint-config-name "$name" --production-variants \
  "VariantName=one,ModelName=$name,InitialInstanceCount=1,InstanceType=ml.m5.large" > /dev/null
aws sagemaker create-endpoint --endpoint-name "$name" --endpoint-config-name "$name" > /dev/null
aws sagemaker wait endpoint-in-service --endpoint-name "$name"
aws sagemaker-runtime invoke-endpoint --endpoint-name "$name" --content-type text/csv \
  --accept application/json --body fileb://up/rows/rows.csv answer.json > /dev/null
python -c 'import json; assert len(json.load(open("answer.json"))["predictions"]) == 20'
if aws sagemaker describe-endpoint --endpoint-name no-such-endpoint 2> refusal; then exit 1; fi
grep -q 'ValidationException.*Could not find endpoint' refusal
aws sagemaker delete-endpoint --endpoint-name "$name"
aws sagemaker wait endpoint-deleted --endpoint-name "$name"
aws sagemaker delete-endpoint-config --endpoint-config-name "$name"
aws sagemaker delete-model --model-name "$name"
aws s3 rm --recursive --only-show-errors "$bucket/rows"
if aws s3 ls "$bucket/rows/"; then exit 1; fi
aws sts get-caller-identity --query Account --output text | grep -x 123456789012 > /dev/null
