# One image that trains and serves, as SageMaker runs it: `docker run IMAGE train`, `docker run IMAGE serve`.
#
#   docker build -t clary .                                   CLARY_ALGORITHM says what to train
#   docker build -t kmeans --build-arg ALGORITHM=kmeans .     an image for each algorithm
#   docker build -t clary --target unprivileged .             without root, for anywhere but SageMaker
FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY pyproject.toml README.md LICENSE CHANGELOG.md /source/
COPY src /source/src
RUN python -m venv /opt/clary \
    && /opt/clary/bin/pip install /source \
    && /opt/clary/bin/pip uninstall --yes pip \
    && find /opt/clary -depth -type d -name tests -exec rm -r {} +

FROM python:3.12-slim AS runtime
ARG ALGORITHM=""
COPY --from=build /opt/clary /opt/clary
ENV PATH=/opt/clary/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CLARY_ALGORITHM=$ALGORITHM
# In an inference pipeline SageMaker chooses the port
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
EXPOSE 8080
WORKDIR /opt/ml

FROM runtime AS unprivileged
RUN useradd --uid 1000 --create-home clary \
    && mkdir -p /opt/ml/input /opt/ml/model /opt/ml/output /opt/ml/checkpoints \
    && chown -R clary /opt/ml
USER clary

# SageMaker mounts /opt/ml as root's, so that training must be root to write there
FROM runtime
