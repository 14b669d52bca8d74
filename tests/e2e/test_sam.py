"""The functions as `sam build` packs them, each answering an event in the image of its runtime."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.sam_local import options
from tests.e2e.conftest import given, is_prediction, poll
from tests.unit.infra.cloudformation import functions, routes

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
EVENTS = Path(__file__).parents[2] / "infra" / "events"
NAMES = sorted(path.stem for path in EVENTS.glob("*.json"))


class Sam:
    """Invokes functions beside the composition's broker, store and workers."""

    def __init__(self, build: Path, network: str, scratch: Path) -> None:
        self._template = build / "template.yaml"
        self._network = network
        self._scratch = scratch

    def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """What the function returns for an event."""
        path = self._scratch / "event.json"
        path.write_text(json.dumps(event))
        command = ["sam", "local", "invoke", function, "--event", str(path)]
        command += options(self._template, self._network)
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        assert answer.keys() & {"statusCode", "isAuthorized"}, (answer, done.stderr)
        return answer


@pytest.fixture
def sam(sam_build: Path, project: str, tmp_path: Path) -> Sam:
    """SAM with this run's build."""
    return Sam(sam_build, f"{project}_default", tmp_path)


def event(name: str) -> dict[str, Any]:
    """A sample event of the repository."""
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded


def body_of(answer: dict[str, Any]) -> Any:
    """The body of an answer, which is text and not base64 for every type we send."""
    assert answer["isBase64Encoded"] is False
    return json.loads(answer["body"])


def test_the_synchronous_function_predicts(sam: Sam, match_id: int) -> None:
    """It reaches store, broker and worker, and waits for the answer."""
    asked = event("predict-sync-match")
    asked["rawPath"] = asked["requestContext"]["http"]["path"] = f"/predict/{match_id}"
    asked["pathParameters"] = {"match_id": str(match_id)}
    answer = sam.invoke("PredictSyncFunction", asked)
    assert answer["statusCode"] == 200, answer
    assert is_prediction(body_of(answer)["prediction"])


def test_the_asynchronous_function_accepts_what_curl_sends(
    sam: Sam, api: httpx.Client, match_id: int
) -> None:
    """API Gateway passes a form on in base64; the composition's worker does the task that is made of it."""
    asked = event("predict-async")
    assert asked["isBase64Encoded"] is True
    asked["body"] = base64.b64encode(json.dumps({"match_id": match_id}).encode()).decode()
    answer = sam.invoke("PredictAsyncFunction", asked)
    assert answer["statusCode"] == 202, answer
    assert poll(api, body_of(answer)["task_id"])["status"] == "SUCCESS"


def test_the_status_function_reads_a_task_of_the_others(sam: Sam, api: httpx.Client, match_id: int) -> None:
    """A task accepted behind the gateway is read behind API Gateway."""
    task_id = api.post("/predict/async/", json={"match_id": match_id}).raise_for_status().json()["task_id"]
    task = poll(api, task_id)
    asked = event("task-status")
    asked["rawPath"] = asked["requestContext"]["http"]["path"] = f"/monitoring/task_status/{task_id}"
    asked["pathParameters"] = {"task_id": task_id}
    answer = sam.invoke("TaskStatusFunction", asked)
    assert answer["statusCode"] == 200, answer
    assert body_of(answer) == task


def test_the_authorizer_knows_the_key_in_secrets_manager(sam: Sam) -> None:
    """The key that the composition's secret holds is its caller's; another is nobody's."""
    asked = event("authorizer")
    answers = []
    for key in (given("TANDEM_E2E_KEY"), "tandem_another"):
        asked["identitySource"], asked["headers"]["x-api-key"] = [key], key
        answers.append(sam.invoke("AuthorizerFunction", asked))
    assert answers == [{"isAuthorized": True, "context": {"caller": "e2e"}}, {"isAuthorized": False}]


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_event_is_answered(name: str) -> None:
    """Sent to its function through Lambda's own API: with an answer of the application, never a defect."""
    asked = event(name)
    behind = {
        f"{method} {path}": function for function, has in functions().items() for method, path in routes(has)
    }
    is_authorizers = asked.get("type") == "REQUEST"
    function = "AuthorizerFunction" if is_authorizers else behind[asked["routeKey"]]
    url = f"{given('TANDEM_E2E_LAMBDA_URL')}/2015-03-31/functions/{function}/invocations"
    answer = httpx.post(url, json=asked, timeout=60).raise_for_status().json()
    if is_authorizers:
        assert answer == {"isAuthorized": False}
    else:
        assert answer["statusCode"] < 500, answer
        assert json.loads(answer["body"])
