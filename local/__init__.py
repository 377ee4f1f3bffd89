"""The whole stack on one machine without Docker: embedded Postgres, MLflow, Airflow."""
