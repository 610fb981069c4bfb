"""MLflow tracking and registry on SQLite: a run with a metric and the model, then a version and the champion's alias."""

from __future__ import annotations

import logging
from pathlib import Path

import mlflow
import steps
from mlflow import MlflowClient

logging.disable(logging.CRITICAL)
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("peer")
client = MlflowClient()
client.create_registered_model("peer")


def lifecycle() -> None:
    """Train, evaluate, promote."""
    with mlflow.start_run() as run:
        model = steps.train(".")
        mlflow.log_artifact(model, "model")
        mlflow.log_metric("size", steps.evaluate(model))
        version = client.create_model_version(
            "peer", f"{run.info.artifact_uri}/model/{Path(model).name}", run.info.run_id
        )
        client.set_registered_model_alias("peer", "champion", version.version)


steps.report(lifecycle)
