# One image for migrations, MLflow and every part of Airflow; docker-compose.yaml says which part runs.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm
FROM ${PYTHON_IMAGE}

# libgomp1 for LightGBM; psql for database/roles.sql.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 postgresql-client \
    && rm -rf /var/lib/apt/lists/*

COPY requirements.txt /tmp/requirements.txt
# The lock is complete, so nothing is resolved here, and nothing but what it names is taken.
RUN pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: -r /tmp/requirements.txt

# Named volumes take over the owner of the folders they cover.
RUN useradd --uid 10001 --create-home bundles \
    && install -d -o bundles -g bundles /var/lib/airflow /var/lib/mlflow

COPY . /app
WORKDIR /app
# The file system is read-only while it runs: what libraries keep for themselves goes to memory.
ARG BUNDLES_GIT_COMMIT=unknown
ENV BUNDLES_GIT_COMMIT=${BUNDLES_GIT_COMMIT} \
    PYTHONPATH=/app:/app/local/plugins \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    NUMBA_CACHE_DIR=/tmp/numba \
    PYTHONWARNINGS=ignore
USER bundles
