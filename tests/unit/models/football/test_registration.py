"""What is in the registry after a training, and what comes out of it when it is served."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import mlflow
import numpy as np
import pandas as pd
import pytest

from models.football.features import FEATURES, OPTIONAL_FEATURES, REQUIRED_FEATURES
from models.football.made_up_league import MadeUpLeague
from models.football.registration import ModelVersion
from tests.unit.models.football.conftest import MLFLOW_WARNINGS, Trainset

pytestmark = pytest.mark.filterwarnings(*MLFLOW_WARNINGS)


@pytest.fixture(scope="session")
def registered(register_again: Callable[[str], ModelVersion]) -> ModelVersion:
    """A first version of a model trained on the made-up league."""
    return register_again("registered")


@pytest.fixture(scope="session")
def served(registered: ModelVersion) -> Any:
    """The registered version, loaded as a worker loads it."""
    return mlflow.pyfunc.load_model(f"models:/{registered.name}/{registered.version}")


def test_served_rows_get_their_probabilities(served: Any, trainset: Trainset) -> None:
    """The loaded pyfunc answers a frame with one row of three probabilities per row."""
    answer = served.predict(trainset.frame.tail(3))
    assert answer.shape == (3, 3)
    assert answer.sum(axis=1) == pytest.approx(np.ones(3))


def test_missing_optional_values_are_served(served: Any, trainset: Trainset) -> None:
    """A row with NaN in every optional column is answered; a required column that is absent is named."""
    row = trainset.frame.tail(1).assign(**dict.fromkeys(OPTIONAL_FEATURES, np.nan))
    assert np.isfinite(served.predict(row)).all()
    with pytest.raises(mlflow.exceptions.MlflowException, match="home_elo"):
        served.predict(row.drop(columns="home_elo"))


def test_the_signature_names_every_feature(served: Any) -> None:
    """Columns are doubles in the order of the features; form and shots are optional, ratings are required."""
    inputs = served.metadata.signature.inputs
    assert inputs.input_names() == list(FEATURES)
    assert {str(column.type) for column in inputs} == {"DataType.double"}
    assert inputs.required_input_names() == list(REQUIRED_FEATURES)


def test_the_model_is_saved_without_pickle(served: Any, registered: ModelVersion, tmp_path: Path) -> None:
    """The saved model is in the skops format, which holds no code, and trusts a single type by name."""
    flavour = served.metadata.flavors["sklearn"]
    assert flavour["serialization_format"] == "skops"
    assert flavour["skops_trusted_types"] == ["numpy.dtype"]
    files = Path(mlflow.artifacts.download_artifacts(f"models:/{registered.name}/1", dst_path=str(tmp_path)))
    assert zipfile.is_zipfile(files / "model.skops")
    assert not list(files.rglob("*.pkl"))


def test_the_example_can_be_sent(served: Any, registered: ModelVersion, tmp_path: Path) -> None:
    """The input example is one whole row, and the model answers it."""
    files = Path(mlflow.artifacts.download_artifacts(f"models:/{registered.name}/1", dst_path=str(tmp_path)))
    example = json.loads((files / "serving_input_example.json").read_text())["dataframe_split"]
    assert example["columns"] == list(FEATURES)
    [row] = example["data"]
    assert None not in row
    assert served.predict(pd.DataFrame([row], columns=example["columns"])).shape == (1, 3)


def test_run_and_version_tell_what_it_was_trained_on(registered: ModelVersion, league: MadeUpLeague) -> None:
    """Digest, day and the words "made up" are on the run and on the version, figures on the run."""
    client = mlflow.MlflowClient()
    version = client.get_model_version(registered.name, registered.version)
    run = client.get_run(registered.run_id)
    for tags in (version.tags, run.data.tags):
        assert tags["made_up"] == "true"
        assert tags["data_sha256"] == league.history.digest
        assert tags["as_of"] == "2026-03-14"
    assert "made-up league" in str(version.description)
    assert {"log_loss", "accuracy", "brier", "yardstick_difference", "yardstick_difference_low"} <= set(
        run.data.metrics
    )
    assert run.data.metrics["evaluated_matches"] == 620


def test_the_calibration_plot_is_a_picture(registered: ModelVersion, tmp_path: Path) -> None:
    """The plot is kept with the run, large enough to read."""
    uri = f"runs:/{registered.run_id}/calibration.png"
    picture = matplotlib.image.imread(mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path)))
    assert picture.shape[0] > 600
    assert picture.shape[1] > 600
    assert picture.std() > 0.05
