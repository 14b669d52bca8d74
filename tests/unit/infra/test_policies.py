"""The house's rules for the templates: each holds, and each tells when it is broken."""

from typing import Any

import pytest

from tests.unit.infra.cloudformation import application, template
from tests.unit.infra.policies import access, alarms, bounds
from tests.unit.infra.policies.breach import ABSENT, CONTAINER, PROPERTIES, STATEMENT, Place, Policy, broken

PREDICT: Place = ("Api", PROPERTIES, "Body", "paths", "/predict", "post", "security")
PAYLOADS: Place = STATEMENT[:-1]
AUTHORIZER: Place = (
    "Api", PROPERTIES, "Body", "components", "securitySchemes", "ApiKey", "x-amazon-apigateway-authorizer",
)  # fmt: skip
TRACKED: Place = (
    "BacklogScaling", PROPERTIES, "TargetTrackingScalingPolicyConfiguration", "CustomizedMetricSpecification",
    "Metrics", 0, "MetricStat", "Metric", "Dimensions", 2, "Value",
)  # fmt: skip

BREACHES: list[tuple[Policy, Place, Any, str]] = [
    (access.wildcard_actions, ("PredictSyncRole", *STATEMENT, "Action"), "*", "PredictSyncRole allows *"),
    (access.wildcard_actions, ("AuthorizerRole", *STATEMENT, "Action"), ["logs:*"], "allows logs:*"),
    (access.wildcard_resources, ("TaskStatusRole", *STATEMENT, "Resource"), "*", "on every resource"),
    (
        access.shared_roles,
        ("PredictSyncFunction", PROPERTIES, "Role"),
        {"Fn::GetAtt": ["TaskStatusRole", "Arn"]},
        "shares",
    ),
    (
        access.shared_roles,
        ("PredictSyncRole", *STATEMENT, "Resource"),
        {"Fn::GetAtt": ["ApiLogs", "Arn"]},
        "may write to",
    ),
    (
        access.shared_roles,
        ("PredictSyncRole", PROPERTIES, "ManagedPolicyArns"),
        ["arn:aws:iam::aws:policy/AdministratorAccess"],
        "PredictSyncRole has",
    ),
    (
        access.payload_rights,
        ("PredictAsyncRole", *PAYLOADS, 1, "Resource"),
        {"Fn::Sub": "${PayloadBucket.Arn}/*"},
        "PredictAsyncRole may s3:GetObject",
    ),
    (
        access.payload_rights,
        ("TaskStatusRole", *PAYLOADS, 1, "Action"),
        ["s3:GetObject", "s3:DeleteObject"],
        "TaskStatusRole may s3:DeleteObject",
    ),
    (access.payload_rights, ("WorkerRole", *PAYLOADS, 1, "Action"), "kms:Decrypt", "not kms:GenerateDataKey"),
    (access.payload_rights, ("WorkerRole", *PAYLOADS, 0, "Action"), "s3:GetObject", "s3:PutObject None"),
    (
        access.payload_rights,
        ("TaskStatusFunction", PROPERTIES, "Environment", "Variables", "PAYLOAD_BUCKET"),
        ABSENT,
        "TaskStatusRole has not",
    ),
    (access.open_routes, PREDICT, [{"NONE": []}], "post /predict asks"),
    (access.open_routes, PREDICT, ABSENT, "post /predict asks None"),
    (access.open_routes, ("Api", PROPERTIES, "Body", "components"), {}, "the API has no authorizer"),
    (
        access.open_routes,
        ("Api", PROPERTIES, "Body", "paths", "/health/live", "get", "security"),
        [{"ApiKey": []}],
        "/health/live asks",
    ),
    (
        access.foreign_trust,
        ("UploadsRole", PROPERTIES, "AssumeRolePolicyDocument", "Statement", 0, "Principal"),
        "*",
        "UploadsRole may be assumed by *",
    ),
    (access.lasting_keys, (*AUTHORIZER, "authorizerResultTtlInSeconds"), 3600, "works for 3660 s"),
    (
        access.lasting_keys,
        (*AUTHORIZER, "identitySource", 0),
        "$request.header.Authorization",
        "asked by ['$request.header.Authorization']",
    ),
    (bounds.unrotated_keys, ("Key", PROPERTIES, "EnableKeyRotation"), ABSENT, "Key is never changed"),
    (bounds.outside_the_network, ("OperationsFunction", PROPERTIES, "VpcConfig"), ABSENT, "stands outside"),
    (
        access.secrets_by_value,
        ("PredictSyncFunction", PROPERTIES, "Environment", "Variables", "BROKER_URL"),
        {"Ref": "BrokerUrl"},
        "BROKER_URL is not a reference",
    ),
    (
        access.secrets_by_value,
        ("PredictSyncFunction", PROPERTIES, "Description"),
        "see amqps://user:word@host",
        "holds credentials",
    ),
    (
        access.secrets_by_value,
        ("WorkerTask", *CONTAINER, "Environment", 0),
        {"Name": "REDIS_URL", "Value": {"Ref": "RedisUrl"}},
        "REDIS_URL is not a reference",
    ),
    (bounds.unbounded_functions, ("TaskStatusFunction", PROPERTIES, "MemorySize"), ABSENT, "no MemorySize"),
    (
        bounds.unbounded_functions,
        ("AuthorizerFunction", PROPERTIES, "ReservedConcurrentExecutions"),
        ABSENT,
        "AuthorizerFunction has no Reserved",
    ),
    (bounds.endless_logs, ("ApiLogs", PROPERTIES, "RetentionInDays"), ABSENT, "ApiLogs has no Retention"),
    (bounds.endless_logs, ("WorkerLogs", PROPERTIES, "KmsKeyId"), ABSENT, "WorkerLogs has no Kms"),
    (bounds.endless_logs, ("TaskStatusFunction", PROPERTIES, "LoggingConfig"), {}, "writes to no log"),
    (
        bounds.endless_logs,
        ("TaskStatusFunction", PROPERTIES, "LoggingConfig", "LogGroup"),
        {"Ref": "PredictSyncLogs"},
        "shares its log",
    ),
    (bounds.timeouts, ("PredictSyncFunction", PROPERTIES, "Timeout"), 31, "may run for 31 s"),
    (bounds.timeouts, ("AuthorizerFunction", PROPERTIES, "Timeout"), 10, "may run for 10 s of 10"),
    (
        bounds.timeouts,
        ("AuthorizerFunction", PROPERTIES, "Timeout"),
        4,
        "AuthorizerFunction gives up after 4",
    ),
    (bounds.timeouts, ("AuthorizerFunction", PROPERTIES, "Timeout"), 6, "wait for a refusal for 6 s"),
    (
        bounds.timeouts,
        ("PredictSyncFunction", PROPERTIES, "Environment", "Variables", "SYNC_TIMEOUT_SECONDS"),
        "29",
        "gives up after 29",
    ),
    (
        bounds.timeouts,
        ("PredictSyncFunction", PROPERTIES, "Environment", "Variables", "SYNC_TIMEOUT_SECONDS"),
        "4",
        "gives up after 4",
    ),
    (bounds.unsafe_buckets, ("PayloadBucket", PROPERTIES, "BucketEncryption"), ABSENT, "not encrypted"),
    (
        bounds.unsafe_buckets,
        ("PayloadBucket", PROPERTIES, "PublicAccessBlockConfiguration", "BlockPublicPolicy"),
        False,
        "not private",
    ),
    (bounds.unsafe_buckets, ("PayloadBucketPolicy",), ABSENT, "without TLS"),
    (
        bounds.unsafe_buckets,
        ("PayloadBucket", PROPERTIES, "LifecycleConfiguration"),
        ABSENT,
        "forgets nothing",
    ),
    (bounds.unsafe_buckets, ("PayloadBucket", "DeletionPolicy"), "Delete", "goes with its stack"),
    (
        bounds.early_expiry,
        ("PayloadBucket", PROPERTIES, "LifecycleConfiguration", "Rules", 0, "ExpirationInDays"),
        1,
        "inputs/ is gone too early",
    ),
    (bounds.unbounded_tasks, ("WorkerTask", *CONTAINER, "StopTimeout"), 8, "is stopped within 8 s"),
    (
        bounds.unbounded_tasks,
        ("WorkerTask", *CONTAINER, "ReadonlyRootFilesystem"),
        False,
        "write to its root",
    ),
    (bounds.unbounded_tasks, ("WorkerTask", *CONTAINER, "LinuxParameters"), {}, "keeps capabilities"),
    (bounds.unbounded_tasks, ("WorkerTask", *CONTAINER, "HealthCheck"), ABSENT, "is not checked"),
    (
        bounds.unbounded_tasks,
        ("WorkerService", PROPERTIES, "DeploymentConfiguration", "DeploymentCircuitBreaker"),
        ABSENT,
        "does not roll back",
    ),
    (
        alarms.aimless_alarms,
        ("DefectAlarm", PROPERTIES, "AlarmDescription"),
        "Runbook: docs/07-aws.md#nowhere",
        "which docs/07-aws.md has not",
    ),
    (alarms.aimless_alarms, ("DefectAlarm", PROPERTIES, "AlarmDescription"), "Oh!", "names no runbook"),
    (alarms.aimless_alarms, ("BacklogAgeAlarm", PROPERTIES, "AlarmActions"), ABSENT, "tells nobody"),
    (alarms.aimless_alarms, ("WakeAlarm", PROPERTIES, "TreatMissingData"), ABSENT, "what silence means"),
    (alarms.unknown_queues, TRACKED, "celery", "BacklogScaling measures celery"),
    (alarms.full_queues, ("BacklogDepthAlarm", PROPERTIES, "Threshold"), 100_000, "told at 100000"),
    (
        alarms.unknown_metrics,
        ("DeadlineAlarm", PROPERTIES, "Metrics", 0, "MetricStat", "Metric", "MetricName"),
        "prediction_timeouts",
        "DeadlineAlarm measures prediction_timeouts by",
    ),
    (
        alarms.unknown_metrics,
        ("ModelFailureAlarm", PROPERTIES, "Dimensions", 1, "Name"),
        "status",
        "by ['function', 'status'], which nobody writes",
    ),
    (
        alarms.unknown_metrics,
        ("ModelFailureAlarm", PROPERTIES, "Dimensions", 1, "Value"),
        "5xx",
        "http_errors_total of the code 5xx",
    ),
    (
        alarms.unknown_metrics,
        ("Dashboard", PROPERTIES, "DashboardBody", "Fn::Sub"),
        '{"widgets": [["Tandem", "http_errors", "function", "f", "code", "500"]]}',
        "Dashboard measures http_errors by",
    ),
    (
        alarms.unwatched_errors,
        ("ModelFailureAlarm", PROPERTIES, "Namespace"),
        "Tandem/dev",
        "nobody is told of 502",
    ),
    (
        alarms.unwatched_errors,
        ("UnavailableAlarm", PROPERTIES, "Metrics", 5),
        {"Id": "uploads"},
        "UnavailableAlarm leaves out UploadsFunction",
    ),
    (alarms.large_alarms, ("WakeAlarm", PROPERTIES, "Metrics"), [{"Id": "m"}] * 11, "WakeAlarm has 11"),
    (alarms.unknown_queues, TRACKED, "ml", "BacklogScaling leaves out ['ml.sync']"),
    (
        alarms.unwatched_deployments,
        ("PredictSyncFunctionDeploymentGroup", PROPERTIES, "AlarmConfiguration"),
        ABSENT,
        "rolled back on no alarm",
    ),
    (
        alarms.unwatched_deployments,
        ("PredictSyncFunctionDeploymentGroup", PROPERTIES, "DeploymentConfigName"),
        {"Fn::Sub": "CodeDeployDefault.LambdaAllAtOnce"},
        "goes to everybody at once",
    ),
    (alarms.unwatched_deployments, ("TaskStatusFunctionAliaslive",), ABSENT, "has no alias"),
]

POLICIES = sorted(
    {breach[0] for breach in BREACHES} | {bounds.connections}, key=lambda policy: policy.__name__
)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
def test_the_application_keeps_the_policy(policy: Policy) -> None:
    """Nothing in the expanded template and its nested stacks is at fault."""
    assert policy(application()) == []


@pytest.mark.parametrize(
    ("policy", "place", "value", "fault"),
    BREACHES,
    ids=[f"{policy.__name__}-{fault.replace(' ', '_')}" for policy, _, _, fault in BREACHES],
)
def test_a_breach_is_told(policy: Policy, place: Place, value: Any, fault: str) -> None:
    """One thing changed for the worse in memory, and the policy names it."""
    told = policy(broken(application(), place, value))
    assert any(fault in one for one in told), told


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("PredictSync", 90, "connections to a broker that takes 100"),
        ("Authorizer", 900, "more concurrency than an account may reserve"),
        ("Burst", 500, "the API lets more in at once"),
    ],
)
def test_a_size_that_does_not_fit_its_broker_is_told(name: str, value: int, fault: str) -> None:
    """The table of concurrency by the broker's limit adds up, and one figure that does not is named."""
    sizes = template()["Mappings"]["Concurrency"]
    told = bounds.connections(application(), {"100": sizes["100"] | {name: value}})
    assert any(fault in one for one in told), told


def test_each_exception_is_made_use_of() -> None:
    """No exception waits for a statement that is gone, for another would slip in under its name."""
    there = {
        (name, statement.get("Sid"))
        for resources in (application(), template("platform.yaml")["Resources"])
        for name, statement in access.statements(resources)
    }
    assert there >= access.EVERY_RESOURCE.keys() | access.WHOLE_SERVICE.keys()
