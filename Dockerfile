# One image for migrations, MLflow and every part of Airflow; docker-compose.yaml says which part runs.
FROM python:3.11-slim

# libgomp1 for LightGBM; psql for database/roles.sql.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 postgresql-client \
    && rm -rf /var/lib/apt/lists/*

COPY requirements.txt /tmp/requirements.txt
# The lock is complete, so nothing is resolved here.
RUN pip install --no-cache-dir --no-deps -r /tmp/requirements.txt

# Named volumes take over the owner of the folders they cover.
RUN useradd --uid 10001 --create-home bundles \
    && install -d -o bundles -g bundles /var/lib/airflow /var/lib/mlflow

COPY . /app
WORKDIR /app
ARG BUNDLES_GIT_COMMIT=unknown
ENV BUNDLES_GIT_COMMIT=${BUNDLES_GIT_COMMIT} \
    PYTHONPATH=/app:/app/local/plugins \
    PYTHONUNBUFFERED=1 \
    PYTHONWARNINGS=ignore
USER bundles
