"""JumpStart's models as they are published here: their specifications, and where their files are.

The images are named after the model ids; scripts and pre-trained artifacts are archives of nothing,
which clients hand on and trainings pass over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from clary.algorithms import declaration, names
from clary.aws.services import service
from clary.spec.algorithm import Algorithm
from clary.spec.hyperparameter import Hyperparameter
from clary.spec.jumpstart import JumpStartModel
from clary.spec.registries import image_uri
from clary.spec.training_specification import training_specification

BUCKET = "jumpstart-cache-prod-"
VERSION = "1.0.0"
# The oldest SDK that reads images from a specification's instance types
OLDEST_SDK = "2.189.0"
TRAINING, SERVING = "transfer_learning", "inference"
_TRAINED_ON, _SERVED_ON = "ml.m5.xlarge", "ml.m5.large"
_TYPES = {"integer": "int", "float": "float", "boolean": "text", "categorical": "text"}


def published() -> list[tuple[Algorithm, JumpStartModel]]:
    """Every model id of the algorithms that are there."""
    return [(declaration(name), one) for name in names() for one in declaration(name).jumpstart]


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
        "min_sdk_version": OLDEST_SDK,
        "training_supported": True,
        "incremental_training_supported": algorithm.incremental,
        "hosting_artifact_key": artifact_key(model, "infer"),
        "hosting_script_key": script_key(model, SERVING),
        "hosting_use_script_uri": False,
        "hosting_prepacked_artifact_key": artifact_key(model, "infer"),
        "hosting_instance_type_variants": variants,
        "training_artifact_key": artifact_key(model, "train"),
        "training_script_key": script_key(model, TRAINING),
        "training_instance_type_variants": variants,
        "hyperparameters": [*_hyperparameters(algorithm, model), *_container(model, region)],
        "inference_environment_variables": [],
        # As many as the API takes; the algorithm's others are there without being asked for
        "metrics": training_specification(algorithm, image)["MetricDefinitions"],
        "default_inference_instance_type": _SERVED_ON,
        "supported_inference_instance_types": [_SERVED_ON],
        "default_training_instance_type": _TRAINED_ON,
        "supported_training_instance_types": [_TRAINED_ON],
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
    return sorted({one.split(".")[1] for one in instance_types()})


def instance_types() -> list[str]:
    """The instance types that SageMaker's API takes."""
    model = service("sagemaker")
    types = {
        one
        for shape in ("TrainingInstanceType", "ProductionVariantInstanceType")
        for one in model.shape_for(shape).enum
    }
    return sorted(one for one in types if one.startswith("ml."))


def specification_key(model: JumpStartModel) -> str:
    return f"community_models_specs/{model.id}/specs_v{VERSION}.json"


def script_key(model: JumpStartModel, purpose: str) -> str:
    return f"source-directory-tarballs/{model.id}/{purpose}/v{VERSION}/sourcedir.tar.gz"


def artifact_key(model: JumpStartModel, purpose: str) -> str:
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
    place = f"s3://{BUCKET}{region}/{script_key(model, TRAINING)}"
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
