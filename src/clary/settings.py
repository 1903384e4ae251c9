"""Everything that Clary reads from the environment, in one place."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clary.errors import CallerError

_DEFAULT_PAYLOAD_BYTES = 6 * 1024 * 1024


def calm_threads() -> None:
    """Let idle OpenMP threads sleep instead of spin; to be called before any native import.

    On a busy machine spinning threads make boosting many times slower.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def threads() -> int:
    """Threads that numeric work may use: OMP_NUM_THREADS, else the processors of this process."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def threads_set(count: int) -> Iterator[None]:
    """Inside, numeric work has so many threads, as if OMP_NUM_THREADS said so."""
    with variables_set({"OMP_NUM_THREADS": str(count)}):
        yield


@contextmanager
def variables_set(variables: Mapping[str, str]) -> Iterator[None]:
    """Inside, the environment holds these variables, too."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def ml_root() -> Path:
    """The root of the container's tree: CLARY_ML_ROOT, else /opt/ml."""
    return Path(os.environ.get("CLARY_ML_ROOT", "/opt/ml"))


def seed() -> int:
    """The seed of a container's training: CLARY_SEED, else 0."""
    return _whole_number("CLARY_SEED", 0)


def rendezvous() -> str | None:
    """`host:port` where the hosts of one training meet: CLARY_RENDEZVOUS, set by the launcher."""
    return os.environ.get("CLARY_RENDEZVOUS") or None


def algorithm() -> str | None:
    """Which algorithm a container trains: CLARY_ALGORITHM."""
    return os.environ.get("CLARY_ALGORITHM") or None


def options() -> dict[str, str]:
    """What a training is asked for beyond hyperparameters: CLARY_OPTIONS, a JSON object.

    Raises:
        CallerError: it is something else.
    """
    text = os.environ.get("CLARY_OPTIONS") or "{}"
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise CallerError.of("environment variable CLARY_OPTIONS", "must be a JSON object", text)
    return {name: str(value) for name, value in found.items()}


def memory_bytes() -> int:
    """Decoded data that a channel may keep between epochs: CLARY_CACHE_BYTES, else 256 MiB."""
    return _whole_number("CLARY_CACHE_BYTES", 256 * 1024 * 1024)


def s3_endpoint() -> str | None:
    """An S3 endpoint other than AWS: CLARY_S3_ENDPOINT, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL."""
    own = server_s3_endpoint() or os.environ.get("AWS_ENDPOINT_URL_S3")
    return own or os.environ.get("AWS_ENDPOINT_URL") or None


def server_s3_endpoint() -> str | None:
    """The S3 that the server's jobs use in place of its own store: CLARY_S3_ENDPOINT."""
    return os.environ.get("CLARY_S3_ENDPOINT") or None


def account() -> str:
    """The account whose resources the server keeps: CLARY_ACCOUNT, 12 digits.

    Raises:
        CallerError: it is something else.
    """
    given = os.environ.get("CLARY_ACCOUNT") or "123456789012"
    if not (given.isascii() and given.isdecimal() and len(given) == 12):
        raise CallerError.of("environment variable CLARY_ACCOUNT", "must have 12 digits", given)
    return given


def region() -> str:
    """The region that the server is in: AWS_REGION or AWS_DEFAULT_REGION, else us-east-1."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def server_root() -> Path:
    """Where the server keeps everything: CLARY_ROOT, else ~/.clary."""
    return Path(os.environ.get("CLARY_ROOT") or Path.home() / ".clary")


def job_places() -> int:
    """How many jobs the server runs at once: CLARY_JOBS, else a job a processor, 4 at least."""
    return _whole_number("CLARY_JOBS", max(4, threads())) or 1


def job_memory_bytes() -> int:
    """Memory that a job may take: CLARY_JOB_MEMORY_BYTES, else nine tenths of what there is."""
    return _whole_number("CLARY_JOB_MEMORY_BYTES", _machine_bytes() * 9 // 10)


def model_memory_bytes() -> int:
    """What the models of a multi-model server take together: CLARY_MODEL_MEMORY_BYTES, else half
    of what there is.
    """
    return _whole_number("CLARY_MODEL_MEMORY_BYTES", _machine_bytes() // 2)


def idle_seconds() -> int:
    """How long an endpoint keeps models that nobody asks: CLARY_IDLE_SECONDS, else an hour."""
    return _whole_number("CLARY_IDLE_SECONDS", 3600)


def events_descriptor() -> int:
    """Where a worker tells the server what it does: CLARY_EVENTS, set by the server."""
    return _whole_number("CLARY_EVENTS", 2)


# What training and model processes may know of this process's environment
_WORKER_VARIABLES = frozenset(
    {
        "HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TEMP", "TMP", "TMPDIR", "TZ",
        "USER", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LD_PRELOAD",
        "SSL_CERT_DIR", "SSL_CERT_FILE", "XDG_CACHE_HOME",
    }
)  # fmt: skip
_WORKER_PREFIXES = (
    "BLIS_", "CLARY_", "CUDA_", "GOMP_", "GOTO_", "KMP_", "LC_", "MALLOC_", "MKL_", "NUMBA_",
    "NUMEXPR_", "NVIDIA_", "OMP_", "OPENBLAS_", "PYTHON", "SAGEMAKER_", "VECLIB_", "XGBOOST_",
)  # fmt: skip
_STORE_PREFIXES = ("AWS_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http", "no_proxy")
_SECRETS = ("SECRET", "TOKEN", "PASSWORD", "ACCESS_KEY")


def worker_environment(external_store: bool = False, **added: str) -> dict[str, str]:
    """The environment of training and model processes, which holds nothing that they need not know.

    external_store: their S3 is not the server's own, so that they need AWS's variables.
    """
    kept = {name: value for name, value in os.environ.items() if _is_for_workers(name)}
    store = {n: value for n, value in os.environ.items() if n.startswith(_STORE_PREFIXES)}
    return {**kept, **(store if external_store else {}), **added}


def _is_for_workers(name: str) -> bool:
    known = name in _WORKER_VARIABLES or name.startswith(_WORKER_PREFIXES)
    return known and not any(word in name for word in _SECRETS)


def server_keys() -> tuple[str, str] | None:
    """The keys that requests must be signed with: CLARY_ACCESS_KEY_ID, CLARY_SECRET_ACCESS_KEY.

    Raises:
        CallerError: there is only one of them.
    """
    names = ("CLARY_ACCESS_KEY_ID", "CLARY_SECRET_ACCESS_KEY")
    access_key, secret_key = (os.environ.get(name, "") for name in names)
    if access_key and secret_key:
        return access_key, secret_key
    if access_key or secret_key:
        name = names[0] if secret_key else names[1]
        raise CallerError.of(f"environment variable {name}", "must be set beside the other")
    return None


def proxy_beyond() -> str | None:
    """The proxy by which hosts elsewhere are reached: HTTPS_PROXY, unless it is the server's own.

    `clary env --proxy` sets both HTTPS_PROXY and CLARY_PROXY.
    """
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    return proxy if proxy and proxy != os.environ.get("CLARY_PROXY") else None


def no_proxy() -> str:
    """The hosts that are reached without a proxy: NO_PROXY, which may be empty."""
    return os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""


def has_aws_credentials() -> bool:
    """Whether AWS's clients find credentials: in variables, or in the usual file."""
    if os.environ.get("AWS_ACCESS_KEY_ID") or os.environ.get("AWS_PROFILE"):
        return True
    usual = Path.home() / ".aws" / "credentials"
    return Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or usual).is_file()


def has_aws_token() -> bool:
    """Whether there is a session token: AWS_SESSION_TOKEN."""
    return bool(os.environ.get("AWS_SESSION_TOKEN"))


def trusted_certificates() -> list[Path]:
    """Files of certificates that AWS's clients were told to trust: AWS_CA_BUNDLE, …."""
    names = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
    given = [Path(os.environ[name]) for name in names if os.environ.get(name)]
    return [path for path in given if "certificates/bundle.pem" not in str(path)]


def _machine_bytes() -> int:
    """Memory of this machine, or of this container if that is less."""
    bounds = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            bounds.append(int((Path("/sys/fs/cgroup") / name).read_text()))
        except (OSError, ValueError):
            continue
    return min(bounds)


def child_environment(**added: str) -> dict[str, str]:
    """This process's environment for a child, with some variables set."""
    return {**os.environ, **added}


@dataclass(frozen=True)
class Serving:
    """What SageMaker sets for a serving container.

    update: models that can learn from the rows they answer: CLARY_UPDATE, not SageMaker's.
    """

    port: int
    batch: bool
    max_payload_bytes: int
    max_concurrent_transforms: int | None
    batch_strategy: str | None
    default_accept: str | None
    inference_output: tuple[str, ...]
    ensemble: bool
    multi_model: bool
    update: bool = False


def serving() -> Serving:
    """The serving variables of the container contract.

    Raises:
        CallerError: one of them is not what it should be.
    """
    payload_mib = _whole_number("SAGEMAKER_MAX_PAYLOAD_IN_MB", 0)
    limit = payload_mib * 1024 * 1024 or _whole_number("MAX_CONTENT_LENGTH", _DEFAULT_PAYLOAD_BYTES)
    chosen = os.environ.get("SAGEMAKER_INFERENCE_OUTPUT", "").replace(" ", "").lower()
    return Serving(
        port=_whole_number("SAGEMAKER_BIND_TO_PORT", 8080),
        batch=_flag("SAGEMAKER_BATCH"),
        max_payload_bytes=limit,
        max_concurrent_transforms=_whole_number("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", 0) or None,
        batch_strategy=os.environ.get("SAGEMAKER_BATCH_STRATEGY") or None,
        default_accept=os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or None,
        inference_output=tuple(name for name in chosen.split(",") if name),
        ensemble=os.environ.get("SAGEMAKER_INFERENCE_ENSEMBLE", "true").lower() != "false",
        multi_model=_flag("SAGEMAKER_MULTI_MODEL"),
        update=_flag("CLARY_UPDATE"),
    )


def _flag(name: str) -> bool:
    return os.environ.get(name, "").lower() in {"true", "1"}


def _whole_number(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or len(text) > 18:
        raise CallerError.of(f"environment variable {name}", "must be a whole number", text)
    return int(text)
