"""What is served; each model touches the system only through MLflow and the match store."""
