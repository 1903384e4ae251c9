"""SDK 2 as notebooks have it: no bucket, no role, no session is named. Needs the proxy."""

import sagemaker
from given import arrays
from sagemaker import KMeans, get_execution_role

role = get_execution_role()
bucket = sagemaker.Session().default_bucket()
assert role.startswith("arn:aws:iam::123456789012:role/"), role
assert bucket == "sagemaker-us-east-1-123456789012", bucket

digits = arrays("digits")
kmeans = KMeans(
    role=role,
    instance_count=1,
    instance_type="ml.m5.large",
    output_path=f"s3://{bucket}/notebook/output",
    k=10,
)
kmeans.fit(kmeans.record_set(digits["train"].astype("float32")), logs=False)
predictor = kmeans.deploy(initial_instance_count=1, instance_type="ml.m5.large")
assert len(predictor.predict(digits["test"][:7].astype("float32"))) == 7
predictor.delete_endpoint()
