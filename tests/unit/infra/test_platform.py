"""infra/platform.yaml keeps the house's rules, and gives the application what it asks for."""

from typing import Any

import pytest

from tests.unit.infra.cloudformation import of_type, template
from tests.unit.infra.policies import access, alarms, bounds, network
from tests.unit.infra.policies.breach import ABSENT, CONTAINER, PROPERTIES, STATEMENT, Place, Policy, broken

PLATFORM = template("platform.yaml")
RESOURCES = PLATFORM["Resources"]
CHOSEN_ANEW = {"WorkerTag"}
"""What the application asks for besides, at every deployment."""

POLICIES: list[Policy] = [
    access.wildcard_actions,
    access.wildcard_resources,
    access.shared_roles,
    access.secrets_by_value,
    bounds.endless_logs,
    bounds.unsafe_buckets,
    bounds.unbounded_tasks,
    alarms.aimless_alarms,
    network.public_places,
    network.clear_text,
    network.lost_with_the_stack,
    network.evicting_stores,
    network.unprotected_data,
    access.foreign_trust,
    bounds.unrotated_keys,
]

BREACHES: list[tuple[Policy, Place, Any, str]] = [
    (access.wildcard_actions, ("MlflowRole", *STATEMENT, "Action"), "s3:*", "MlflowRole allows s3:*"),
    (access.wildcard_resources, ("MlflowRole", *STATEMENT, "Resource"), "*", "on every resource"),
    (
        access.secrets_by_value,
        ("Store", PROPERTIES, "AuthToken"),
        {"Ref": "StoreToken"},
        "AuthToken is not a reference",
    ),
    (
        access.secrets_by_value,
        ("Broker", PROPERTIES, "Users", 0, "Password"),
        "tandem-tandem",
        "Password is not a reference",
    ),
    (
        access.secrets_by_value,
        ("MlflowTask", *CONTAINER, "Environment", 0, "Value"),
        "postgresql+psycopg://mlflow:word@host/mlflow",
        "holds credentials",
    ),
    (
        access.secrets_by_value,
        ("MlflowTask", *CONTAINER, "Environment", 0),
        {"Name": "PGPASSWORD", "Value": {"Ref": "DatabasePassword"}},
        "PGPASSWORD is not a reference",
    ),
    (
        access.secrets_by_value,
        ("Database", PROPERTIES, "MasterUserPassword"),
        "mlflow-mlflow",
        "MasterUserPassword is not a reference",
    ),
    (bounds.endless_logs, ("MlflowLogs", PROPERTIES, "RetentionInDays"), ABSENT, "has no Retention"),
    (bounds.unsafe_buckets, ("ArtifactBucketPolicy",), ABSENT, "without TLS"),
    (bounds.unbounded_tasks, ("MlflowTask", *CONTAINER, "StopTimeout"), ABSENT, "stopped within None s"),
    (
        alarms.aimless_alarms,
        ("StoreMemoryAlarm", PROPERTIES, "AlarmDescription"),
        "Full!",
        "names no runbook",
    ),
    (network.public_places, ("Broker", PROPERTIES, "PubliclyAccessible"), True, "Broker is public"),
    (
        network.public_places,
        ("StoreGroup", PROPERTIES, "SecurityGroupIngress", 0),
        {"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 6379, "ToPort": 6379},
        "StoreGroup lets in",
    ),
    (network.public_places, ("StoreGroup", PROPERTIES, "SecurityGroupEgress"), ABSENT, "lets everything out"),
    (
        network.public_places,
        ("Gateway",),
        {"Type": "AWS::EC2::InternetGateway", "Properties": {}},
        "leads to the internet",
    ),
    (network.clear_text, ("Store", PROPERTIES, "TransitEncryptionEnabled"), False, "no TransitEncryption"),
    (network.clear_text, ("Database", PROPERTIES, "StorageEncrypted"), ABSENT, "no StorageEncrypted"),
    (network.clear_text, ("AlarmTopic", PROPERTIES, "KmsMasterKeyId"), ABSENT, "no KmsMasterKeyId"),
    (network.clear_text, ("Store", PROPERTIES, "TransitEncryptionMode"), "preferred", "without TLS"),
    (
        network.clear_text,
        ("MlflowTask", *CONTAINER, "Environment", 0, "Value", "Fn::Sub"),
        "postgresql+psycopg://mlflow@host:5432/mlflow",
        "asks its database without TLS",
    ),
    (
        network.unprotected_data,
        ("Database", PROPERTIES, "ManageMasterUserPassword"),
        ABSENT,
        "keeps its password",
    ),
    (
        network.unprotected_data,
        ("Database", PROPERTIES, "BackupRetentionPeriod"),
        0,
        "Database is not backed",
    ),
    (
        network.unprotected_data,
        ("Database", PROPERTIES, "DeletionProtection"),
        False,
        "no DeletionProtection",
    ),
    (
        network.unprotected_data,
        ("Store", PROPERTIES, "SnapshotRetentionLimit"),
        ABSENT,
        "Store is not backed",
    ),
    (bounds.unrotated_keys, ("Key", PROPERTIES, "EnableKeyRotation"), False, "Key is never changed"),
    (
        access.foreign_trust,
        ("MlflowRole", PROPERTIES, "AssumeRolePolicyDocument", "Statement", 0, "Principal"),
        {"AWS": "*"},
        "MlflowRole may be assumed by",
    ),
    (network.lost_with_the_stack, ("Database", "DeletionPolicy"), "Delete", "Database is lost"),
    (
        network.evicting_stores,
        ("StoreParameters", PROPERTIES, "Properties", "maxmemory-policy"),
        "allkeys-lru",
        "Store evicts",
    ),
    (network.evicting_stores, ("Store", PROPERTIES, "ClusterMode"), "enabled", "spreads its keys"),
]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
def test_the_platform_keeps_the_policy(policy: Policy) -> None:
    """Nothing in platform.yaml is at fault."""
    assert policy(RESOURCES) == []


@pytest.mark.parametrize(
    ("policy", "place", "value", "fault"),
    BREACHES,
    ids=[f"{policy.__name__}-{fault.replace(' ', '_')}" for policy, _, _, fault in BREACHES],
)
def test_a_breach_is_told(policy: Policy, place: Place, value: Any, fault: str) -> None:
    """One thing changed for the worse in memory, and the policy names it."""
    told = policy(broken(RESOURCES, place, value))
    assert any(fault in one for one in told), told


def test_the_outputs_are_the_applications_parameters() -> None:
    """So that they are passed on as they are; whoever brings something of their own gives these instead."""
    parameters = template()["Parameters"]
    outputs = PLATFORM["Outputs"].keys()
    assert outputs <= parameters.keys()
    asked_for = {name for name, parameter in parameters.items() if "Default" not in parameter}
    assert asked_for <= outputs | CHOSEN_ANEW


def test_each_size_of_broker_has_its_row_in_the_application() -> None:
    """The connections that a stage's broker takes are one of the sizes that concurrency is kept for."""
    sizes = template()["Mappings"]["Concurrency"]
    for stage, size in PLATFORM["Mappings"]["Size"].items():
        assert size["Connections"] in sizes, stage
        assert size["Broker"].startswith("mq.m7g."), "RabbitMQ 4 runs on no other"


def test_the_addresses_are_of_the_kind_that_the_code_takes() -> None:
    """TLS on both, certificates verified, the virtual host that the metrics are asked for."""
    secrets = of_type(RESOURCES, "AWS::SecretsManager::Secret")
    broker = secrets["BrokerSecret"]["SecretString"]["Fn::Sub"][0]
    store = secrets["StoreSecret"]["SecretString"]["Fn::Sub"]
    assert broker.startswith('{"url": "amqps://')
    assert broker.endswith('//"}')
    assert store.startswith('{"url": "rediss://')
    assert "ssl_cert_reqs=required" in store, "Celery refuses an address that leaves it open"
