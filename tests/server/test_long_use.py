"""What a server that is used for long holds: many jobs listed whole, and memory that stays."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Table, insert

from clary.db.database import Database
from clary.db.resources import milliseconds
from clary.db.tables import Resource
from tests.servers import Server, served, training_request

JOBS = 10_000
CLIENTS, CALLS = 4, 400


def stored(root: Path) -> None:
    """Jobs that ended long ago, three of them made in each millisecond."""
    request, now = training_request("x", "kmeans"), milliseconds()
    rows = [
        {
            "kind": "training-job",
            "name": f"job-{number:05d}",
            "arn": f"arn:aws:sagemaker:us-east-1:123456789012:training-job/job-{number:05d}",
            "status": "Completed" if number % 100 else "Failed",
            "created": now + number // 3,
            "modified": now + number // 3,
            "request": request,
            "state": {},
            "attempt": 0,
        }
        for number in range(JOBS)
    ]
    database = Database(root / "clary.db")
    table = Resource.__table__
    assert isinstance(table, Table)
    with database.writing() as connection:
        connection.execute(insert(table), rows)
    database.close()


def listed(server: Server, **wanted: str) -> list[str]:
    pages = server.client("sagemaker").get_paginator("list_training_jobs")
    found = pages.paginate(PaginationConfig={"PageSize": 100}, **wanted)
    return [job["TrainingJobName"] for page in found for job in page["TrainingJobSummaries"]]


def test_ten_thousand_jobs_are_listed_whole_in_every_order(tmp_path: Path) -> None:
    stored(tmp_path)
    names = [f"job-{number:05d}" for number in range(JOBS)]
    with served(tmp_path) as server:
        assert listed(server, SortBy="CreationTime") == names
        assert listed(server, SortBy="Name", SortOrder="Descending") == names[::-1]
        assert listed(server, StatusEquals="Failed", SortBy="Name") == names[::100]
        assert listed(server, NameContains="99", SortBy="Name") == [n for n in names if "99" in n]


def test_memory_stays_where_it_is_under_traffic(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        traffic(server)
        before = resident_alone(server)
        for _ in range(3):
            traffic(server)
        grown = resident_alone(server) - before
    # 4,800 calls; a kilobyte kept of each would be 4.7 MiB, an allocator's own wavering is less
    assert grown < 4 * 2**20


def traffic(server: Server) -> None:
    """What clients ask all the time, and what is refused."""

    def one() -> None:
        client, store = server.client("sagemaker"), server.client("s3")
        for number in range(CALLS // 4):
            client.list_training_jobs(NameContains="x")
            client.list_endpoints()
            store.put_object(Bucket="data", Key="same", Body=b"x" * number)
            store.get_object(Bucket="data", Key="same")["Body"].read()

    threads = [threading.Thread(target=one) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def resident_alone(server: Server) -> int:
    """Memory of the server itself, without its spare worker."""
    page = int((Path("/proc") / str(server.process.pid) / "statm").read_text().split()[1])
    return page * 4096
