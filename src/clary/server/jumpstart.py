"""What JumpStart's bucket has to hold so that the SageMaker SDK finds its models here.

The SDK reads `models_manifest.json` and a specification for each model id from the bucket
`jumpstart-cache-prod-<region>`. The images there are named after the model ids; scripts and
pre-trained artifacts are empty archives, which clients hand on and trainings pass over.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clary.algorithms import declaration, names
from clary.aws.services import service
from clary.spec.algorithm import Algorithm
from clary.spec.hyperparameter import Hyperparameter
from clary.spec.jumpstart import JumpStartModel
from clary.spec.registries import image_uri
from clary.spec.training_specification import training_specification
from clary.storage.folder import whole_file

BUCKET = "jumpstart-cache-prod-"
VERSION = "1.0.0"
# The oldest SDK that reads images from a specification's instance types
_SDK = "2.189.0"
_MANIFEST, _PROPRIETARY = "models_manifest.json", "proprietary-sdk-manifest.json"
# The SDK reads the first entry of the list of proprietary models without asking whether there is
# one; what only later SDKs could read it does not show
_NOTHING = {"model_id": "none", "version": "0", "min_version": "999", "spec_key": "none"}
_TRAINING, _SERVING = "ml.m5.xlarge", "ml.m5.large"
_TYPES = {"integer": "int", "float": "float", "boolean": "text", "categorical": "text"}


def write_manifest(buckets: Path, region: str) -> list[str]:
    """Put the manifest and what it names into the region's bucket; the model ids.

    Files whose content is there already are let be; each is written whole. What other files are in
    the bucket stays.
    """
    folder = buckets / f"{BUCKET}{region}"
    found = [
        (declaration(name), model) for name in names() for model in declaration(name).jumpstart
    ]
    for algorithm, model in found:
        for key, content in _objects(algorithm, model, region):
            _write(folder / key, content)
    _write(folder / _PROPRIETARY, _json([_NOTHING]))
    # Last, so that nothing is named that is not there
    _write(folder / _MANIFEST, _json([_header(model) for _, model in found]))
    return [model.id for _, model in found]


def specification(algorithm: Algorithm, model: JumpStartModel, region: str) -> dict[str, Any]:
    """The specification of one model, in the SDK's words."""
    image = image_uri(model.id, VERSION, region)
    variants = {
        "regional_aliases": {region: {"image": image}},
        "variants": {
            family: {"regional_properties": {"image_uri": "$image"}} for family in families()
        },
    }
    return {
        "model_id": model.id,
        "url": "",
        "version": VERSION,
        "min_sdk_version": _SDK,
        "training_supported": True,
        "incremental_training_supported": algorithm.incremental,
        "hosting_artifact_key": _artifact(model, "infer"),
        "hosting_script_key": _script(model, "inference"),
        "hosting_use_script_uri": False,
        "hosting_prepacked_artifact_key": _artifact(model, "infer"),
        "hosting_instance_type_variants": variants,
        "training_artifact_key": _artifact(model, "train"),
        "training_script_key": _script(model, "transfer_learning"),
        "training_instance_type_variants": variants,
        "hyperparameters": [*_hyperparameters(algorithm, model), *_container(model, region)],
        "inference_environment_variables": [],
        # As many as the API takes; the algorithm's others are there without being asked for
        "metrics": training_specification(algorithm, image)["MetricDefinitions"],
        "default_inference_instance_type": _SERVING,
        "supported_inference_instance_types": [_SERVING],
        "default_training_instance_type": _TRAINING,
        "supported_training_instance_types": [_TRAINING],
        "predictor_specs": {
            "default_content_type": "text/csv",
            "supported_content_types": ["text/csv"],
            "default_accept_type": model.accept,
            "supported_accept_types": [model.accept],
        },
        "inference_vulnerable": False,
        "inference_dependencies": [],
        "inference_vulnerabilities": [],
        "training_vulnerable": False,
        "training_dependencies": [],
        "training_vulnerabilities": [],
        "deprecated": False,
        "resource_name_base": model.id[:40].rstrip("-"),
    }


def families() -> list[str]:
    """The families of instance types that SageMaker's API takes, `m5` and the like."""
    model = service("sagemaker")
    types = [
        one
        for shape in ("TrainingInstanceType", "ProductionVariantInstanceType")
        for one in model.shape_for(shape).enum
    ]
    return sorted({one.split(".")[1] for one in types if one.startswith("ml.")})


def _header(model: JumpStartModel) -> dict[str, Any]:
    return {
        "model_id": model.id,
        "version": VERSION,
        "min_version": _SDK,
        "spec_key": _specification_key(model),
        "search_keywords": model.title.split(),
    }


def _objects(
    algorithm: Algorithm, model: JumpStartModel, region: str
) -> Iterator[tuple[str, bytes]]:
    yield _specification_key(model), _json(specification(algorithm, model, region))
    for key, script in (
        (_script(model, "transfer_learning"), "transfer_learning.py"),
        (_script(model, "inference"), "inference.py"),
    ):
        yield key, _archive({script: b"# Clary runs the algorithm itself; this is never read\n"})
    for purpose in ("train", "infer"):
        yield _artifact(model, purpose), _archive({})


def _specification_key(model: JumpStartModel) -> str:
    return f"community_models_specs/{model.id}/specs_v{VERSION}.json"


def _script(model: JumpStartModel, purpose: str) -> str:
    return f"source-directory-tarballs/{model.id}/{purpose}/v{VERSION}/sourcedir.tar.gz"


def _artifact(model: JumpStartModel, purpose: str) -> str:
    return f"{model.id}/{purpose}-{model.id}.tar.gz"


def _hyperparameters(algorithm: Algorithm, model: JumpStartModel) -> Iterator[dict[str, Any]]:
    """The model's own, then those of the declaration that have a default and always matter."""
    names = {new: old for old, new in model.renamed.items()}
    for one in algorithm.hyperparameters.declared().values():
        name = names.get(one.name, one.name)
        given = model.hyperparameters.get(name)
        usual = not (one.when or one.versions or one.left_to_engine or one.default is None)
        if given is not None or usual:
            yield _described(one, name, _text(one.default) if given is None else given)


def _described(one: Hyperparameter, name: str, default: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": name,
        "type": "text" if one.words else _TYPES.get(one.kind, "text"),
        "default": default,
        "scope": "algorithm",
    }
    if one.kind in {"integer", "float"} and not one.words:
        exclusive = {"min": one.exclusive_min, "max": one.exclusive_max}
        for key, bound in (("min", one.min), ("max", one.max)):
            if bound is not None:
                described[f"exclusive_{key}" if exclusive[key] else key] = bound
    elif one.kind == "boolean":
        described["options"] = ["True", "False"]
    elif one.kind == "categorical":
        described["options"] = [str(choice) for choice in one.choices]
    return described


def _container(model: JumpStartModel, region: str) -> Iterator[dict[str, Any]]:
    """What names the script; `retrieve_default` gives it when it is asked for."""
    place = f"s3://{BUCKET}{region}/{_script(model, 'transfer_learning')}"
    for name, default in (
        ("sagemaker_submit_directory", place),
        ("sagemaker_program", "transfer_learning.py"),
        ("sagemaker_container_log_level", "20"),
    ):
        yield {"name": name, "type": "text", "default": default, "scope": "container"}


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return json.dumps(list(value))
    return str(value)


def _archive(files: dict[str, bytes]) -> bytes:
    """A tar.gz whose bytes depend on its files alone."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1).encode() + b"\n"


def _write(path: Path, content: bytes) -> None:
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as out:
        out.write(content)
