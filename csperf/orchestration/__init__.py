"""What the Airflow DAGs share: which period a run is for, who approved what, and their common settings."""
