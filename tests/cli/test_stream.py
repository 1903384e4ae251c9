"""`clary score-stream`: records in, answers out, one by one, whatever comes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

import clary
from clary import RandomCutForest
from tests.cli.commands import CLARY, Done, clary_here

CELLS = load_breast_cancer().data[:, :3].astype(np.float32)
SMALL = ("-p", "num_trees=50", "-p", "num_samples_per_tree=16")


def csv(rows: np.ndarray) -> bytes:
    return b"".join(",".join(f"{x:.9g}" for x in row).encode() + b"\n" for row in rows)


def streamed(records: bytes, *arguments: str | Path) -> tuple[list[Any], str]:
    """The answers, as JSON, and what was said beside them."""
    done = whole(records, *arguments)
    return [json.loads(line) for line in done.out.splitlines()], done.err


def whole(records: bytes, *arguments: str | Path) -> Done:
    """A stream that is there as a file, scored in this process."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "records").write_bytes(records)
        done = clary_here("score-stream", *arguments, "--input", Path(folder) / "records")
    assert done.code == 0, done.err
    return done


@contextmanager
def streaming(*arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    command = [CLARY, "score-stream", *arguments]
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for each in (process.stdin, process.stdout, process.stderr):
            with suppress(BrokenPipeError):
                each.close()  # type: ignore[union-attr]


def ask(process: subprocess.Popen[bytes], record: bytes) -> Any:
    """The answer to one record, while the stream stays open."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(record)
    process.stdin.flush()
    return json.loads(process.stdout.readline())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    forest = RandomCutForest(num_trees=50, num_samples_per_tree=16).fit(CELLS[:300])
    forest.save(tmp_path / "model")
    return tmp_path / "model"


def test_answers_are_those_of_the_same_forest_in_python(model: Path) -> None:
    answers, said = streamed(csv(CELLS[300:320]), model)
    forest = clary.load(model)
    expected = [forest.score_update(row) for row in CELLS[300:320]]
    assert [answer["score"] for answer in answers] == pytest.approx(expected, rel=1e-6)
    assert "20 records, 0 of them not usable" in said


def test_without_a_model_a_forest_begins_with_the_first_record() -> None:
    answers, _ = streamed(csv(CELLS[:40]), *SMALL, "--seed", "3")
    forest = RandomCutForest(num_trees=50, num_samples_per_tree=16, seed=3)
    expected = [forest.score_update(row) for row in CELLS[:40]]
    assert [answer["score"] for answer in answers] == pytest.approx(expected, rel=1e-6)


def test_each_answer_comes_before_the_next_record_is_sent(model: Path) -> None:
    with streaming(model) as process:
        for row in CELLS[:5]:
            assert ask(process, csv(row[None]))["score"] > 0


def test_records_that_cannot_be_used_are_answered_and_the_stream_goes_on(model: Path) -> None:
    records = b"1,2,3\nmean,radius,area\n1,2\n\n1,nan,3\n1,2,1e39\n1,2,-inf\n\xff,1,2\n4,5,6\n"
    answers, said = streamed(records, model)
    kinds = [list(answer) for answer in answers]
    assert kinds == [["score"], *[["error"]] * 6, ["score"]]
    assert [answer["error"] for answer in answers[1:-1]] == [
        "line 2: column 1: must be a finite number, got 'mean'",
        "line 3: row: must have 3 features, got 2",
        "line 5: column 2: must be a finite number, got 'nan'",
        "line 6: column 3: must be a finite float32 number, got 1e+39",
        "line 7: column 3: must be a finite number, got '-inf'",
        "line 8: column 1: must be a finite number, got '\\\\xff'",
    ]
    assert "8 records, 6 of them not usable" in said


def test_faulty_records_change_nothing_of_what_follows(model: Path) -> None:
    clean, _ = streamed(csv(CELLS[300:310]), model)
    lines = csv(CELLS[300:310]).splitlines(keepends=True)
    answers, _ = streamed(b"x\n" + b"1,2\n".join(lines), model)
    assert [answer for answer in answers if "score" in answer] == clean


def test_json_lines_come_in_all_forms_of_an_instance(model: Path) -> None:
    records = (
        b'{"features": [1, 2, 3]}\n'
        b'{"data": {"features": {"values": [1, 2, 3]}}}\n'
        b'{"data": {"features": {"keys": [0, 2], "shape": [3], "values": [1, 3]}}}\n'
        b"[1, 2, 3]\n"
        b'{"features": [1, NaN, 3]}\n'
        b'{"features": [1, null, 3]}\n'
        b'{"features": "a"}\n'
        b"{]\n"
        b"7\n"
    )
    answers, _ = streamed(records, model)
    assert [next(iter(answer)) for answer in answers] == ["score"] * 4 + ["error"] * 5
    assert all(answer["error"].startswith("line ") for answer in answers[4:])


def test_answers_in_csv_have_an_empty_score_before_the_error(model: Path) -> None:
    done = whole(b'1,2,3\n1,"\n', model, "--accept", "text/csv", "--verbose")
    first, second = done.out.splitlines()
    score, *parts = map(float, first.split(","))
    assert len(parts) == 3
    assert sum(parts) == pytest.approx(score, rel=1e-5)
    assert second.startswith(',"line 2: ')


def test_verbose_answers_tell_what_each_feature_adds(model: Path) -> None:
    answers, _ = streamed(csv(CELLS[300:303]), model, "--verbose")
    for answer in answers:
        assert sum(answer["attribution"]) == pytest.approx(answer["score"], rel=1e-5)


def test_a_stream_that_was_saved_goes_on_as_if_it_had_not_ended(tmp_path: Path) -> None:
    once, _ = streamed(csv(CELLS[:60]), *SMALL, "--save", tmp_path / "whole")
    settings = (*SMALL, "--save", tmp_path / "parts")
    parts = [streamed(csv(CELLS[a : a + 20]), *settings)[0] for a in (0, 20, 40)]
    assert [answer for part in parts for answer in part] == once
    for name in ("points.npy", "nodes.npy", "samples.npy", "trees.npy", "forest.json"):
        one, other = (tmp_path / each / name for each in ("whole", "parts"))
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_the_model_and_ends_well(number: int, tmp_path: Path) -> None:
    saved = tmp_path / "saved.tar.gz"
    with streaming(*SMALL, "--save", saved) as process:
        for row in CELLS[:10]:
            ask(process, csv(row[None]))
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
    assert clary.load(saved).model_.forest.seen == 10


def test_a_signal_ends_a_stream_whose_answers_nobody_reads(tmp_path: Path) -> None:
    with streaming(*SMALL, "--save", tmp_path / "saved") as process:
        assert process.stdin
        ask(process, csv(CELLS[:1]))
        records = csv(np.tile(CELLS, (20, 1)))
        writer = threading.Thread(target=_fed, args=(process.stdin.fileno(), records), daemon=True)
        writer.start()
        writer.join(timeout=3)
        # The pipe of the answers is full, so no more records are taken
        assert writer.is_alive()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    assert 0 < clary.load(tmp_path / "saved").model_.forest.seen < len(records.splitlines())


def test_saving_now_and_then_outlives_a_kill(tmp_path: Path) -> None:
    with streaming(*SMALL, "--save", tmp_path / "saved", "--save-every", "4") as process:
        for row in CELLS[:10]:
            ask(process, csv(row[None]))
        process.kill()
    assert clary.load(tmp_path / "saved").model_.forest.seen == 8


def test_records_come_from_a_fifo(model: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "records"
    os.mkfifo(fifo)
    with streaming(model, "--input", fifo) as process, fifo.open("wb") as records:
        for row in CELLS[:3]:
            records.write(csv(row[None]))
            records.flush()
            assert process.stdout
            assert json.loads(process.stdout.readline())["score"] > 0


def test_a_stream_that_waits_for_its_fifo_can_be_ended(model: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "records"
    os.mkfifo(fifo)
    with streaming(model, "--input", fifo) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=4)
        process.terminate()
        assert process.wait(timeout=60) == 0


def test_a_reader_that_goes_away_ends_the_stream_and_the_model_is_saved(tmp_path: Path) -> None:
    with streaming(*SMALL, "--save", tmp_path / "saved") as process:
        ask(process, csv(CELLS[:1]))
        assert process.stdin
        assert process.stdout
        process.stdout.close()
        process.stdin.write(csv(CELLS[1:9]))
        process.stdin.flush()
        assert process.wait(timeout=60) == 0
    assert clary.load(tmp_path / "saved").model_.forest.seen >= 2


def test_the_decay_of_a_model_can_be_changed_and_nothing_else(model: Path, tmp_path: Path) -> None:
    settings = ("-p", "time_decay=0.5", "--save", tmp_path / "saved")
    streamed(csv(CELLS[:5]), model, *settings)
    assert clary.load(tmp_path / "saved").time_decay == 0.5
    done = clary_here("score-stream", model, "-p", "num_trees=60")
    assert done.code == 1
    assert "num_trees: the model has 50, which cannot be changed, got 60" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "there is no such file or folder"),
        (["-p", "num_trees=7"], "num_trees: must be at least 50"),
        (["-p", "trees=7"], "'trees' was unexpected"),
        (["--save-every", "5"], "--save-every: needs --save"),
        (["--save", "nowhere/model"], "must be in a folder that can be written"),
        (["--accept", "image/png"], "--accept: must be text/csv or application/jsonlines"),
        (["--input", "nowhere.csv"], "nowhere.csv: does not exist"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments: list[str], words: str) -> None:
    done = clary_here("score-stream", *arguments)
    assert done.code == 1
    assert words in done.err


def test_a_model_that_does_not_follow_streams_is_refused(tmp_path: Path) -> None:
    clary.PCA(num_components=1).fit(CELLS).save(tmp_path / "pca")
    done = clary_here("score-stream", tmp_path / "pca")
    assert done.code == 1
    assert "must be of one that follows streams, got 'pca'" in done.err


def test_a_folder_of_other_files_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = clary_here("score-stream", "--save", tmp_path)
    assert done.code == 1
    assert (tmp_path / "notes.txt").read_text() == "mine"


def _fed(descriptor: int, records: bytes) -> None:
    while records:
        try:
            records = records[os.write(descriptor, records) :]
        except OSError:
            return
