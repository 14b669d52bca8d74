# The registry as platform.yaml runs it: the image of the Dockerfile beside this one, and what reaches PostgreSQL and S3.
#     docker build --file infra/mlflow/Dockerfile --tag tandem-mlflow .
#     docker build --file infra/mlflow/aws.Dockerfile --tag …/tandem/mlflow:1 .
ARG REGISTRY=tandem-mlflow
FROM ${REGISTRY}
USER root
# uv and not pip, which would not see what the environment holds and put newer versions over it.
RUN pip install --root-user-action=ignore --no-cache-dir uv && \
    uv pip install --no-cache --python /opt/venv/bin/python "boto3==1.44.*" "psycopg2-binary==2.9.*" && \
    pip uninstall --root-user-action=ignore --yes uv
USER tandem
WORKDIR /tmp
