"""MLflow: a projection of the store, and reports from what was tracked (docs/mlflow.md)."""
