"""The object store on the server's port, and another one in its place."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests import s3_server
from tests.server.conftest import put_digits
from tests.servers import Server, finished, served, training_request

_EXTERNAL = {"AWS_ACCESS_KEY_ID": s3_server.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": "not-a-secret"}


def test_the_servers_port_takes_every_kind_of_s3_request(server: Server) -> None:
    s3 = server.client("s3")
    data = os.urandom(17 << 20)
    s3.upload_fileobj(io.BytesIO(data), "data", "port/parts")
    s3.put_object(Bucket="data", Key="port/one", Body=b"1")
    with pytest.raises(ClientError, match="one name"):
        s3.put_object(Bucket="data", Key="port/one/more", Body=b"x" * 100_000)
    assert (server.bucket / "port" / "parts").read_bytes() == data
    back = io.BytesIO()
    s3.download_fileobj("data", "port/parts", back)
    assert back.getvalue() == data
    found = s3.list_objects_v2(Bucket="data", Prefix="port/")["Contents"]
    named = [{"Key": each["Key"]} for each in found]
    gone = s3.delete_objects(Bucket="data", Delete={"Objects": named})
    assert [each["Key"] for each in gone["Deleted"]] == ["port/one", "port/parts"]


def test_jobs_use_another_s3_where_the_server_is_told_to(tmp_path: Path) -> None:
    put_digits(tmp_path / "elsewhere" / "data")
    with (
        s3_server.serving(tmp_path / "elsewhere") as external,
        served(tmp_path / "root", CLARY_S3_ENDPOINT=external.endpoint, **_EXTERNAL) as server,
    ):
        sagemaker = server.client("sagemaker")
        request = training_request("outside", "kmeans")
        request["HyperParameters"] = {"k": "10", "feature_dim": "64"}
        sagemaker.create_training_job(**request)
        job = finished(sagemaker, "outside")
        assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
        with pytest.raises(ClientError, match=external.endpoint):
            server.client("s3").list_buckets()
    model = tmp_path / "elsewhere" / job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://")
    assert model.stat().st_size > 0
