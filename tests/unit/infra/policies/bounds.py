"""Everything is bounded and confined: functions, logs, buckets, tasks, time and connections."""

from typing import Any

from tandem.backplane import aws, broker, claim_check, publishing_thread, secrets, store
from tandem.backplane.settings import Settings
from tests.unit.infra.cloudformation import Resources, of_type, template
from worker.celery_config import SOFT_SHUTDOWN_SECONDS

API_SECONDS = 30
AUTHORIZER_SECONDS = 10
"""What the API gives a function, and its authorizer."""
STOP_SECONDS = 120
"""What Fargate gives a task at most."""
BACKPLANE_SECONDS = max(
    broker.CONNECT_SECONDS + broker.CONFIRM_SECONDS,
    publishing_thread.ANSWER_SECONDS,
    store.CONNECT_SECONDS + store.ANSWER_SECONDS,
)
"""The longest that a function waits for broker or store."""
UPLOAD_SECONDS = 2 * (aws.CONNECT_SECONDS + claim_check.ANSWER_SECONDS) + 1 + claim_check.READ_SECONDS
"""The longest that reading an upload takes: two attempts with a pause, and its content."""
SECRET_SECONDS = secrets.LONGEST_SECONDS
"""The longest that the authorizer waits for its secret."""
REFUSAL_SECONDS = 5
"""The longest that whoever is refused waits (docs/02-the-contract.md)."""
UNRESERVED = 100
ACCOUNT_CONCURRENCY = 1000
CONNECTIONS_OF_A_WORKER = 4
DAY_SECONDS = 24 * 3600


def unbounded_functions(resources: Resources) -> list[str]:
    """Each function has a limit of time, memory and concurrency, is traced, and encrypts its environment."""
    return [
        f"{name} has no {wanted}"
        for name, function in of_type(resources, "AWS::Lambda::Function").items()
        for wanted in (
            "Timeout",
            "MemorySize",
            "ReservedConcurrentExecutions",
            "TracingConfig",
            "KmsKeyArn",
            "LoggingConfig",
        )
        if wanted not in function
    ]


def endless_logs(resources: Resources) -> list[str]:
    """Each log is encrypted and ends some day; each function and container has one of this template."""
    groups = of_type(resources, "AWS::Logs::LogGroup")
    faults = [
        f"{name} has no {wanted}"
        for name, group in groups.items()
        for wanted in ("RetentionInDays", "KmsKeyId")
        if wanted not in group
    ]
    used = [
        (name, function.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref"))
        for name, function in of_type(resources, "AWS::Lambda::Function").items()
    ]
    used += [
        (name, container.get("LogConfiguration", {}).get("Options", {}).get("awslogs-group", {}).get("Ref"))
        for name, container in _containers(resources)
    ]
    faults += [f"{name} writes to no log of this template" for name, group in used if group not in groups]
    groups_used = [group for _, group in used]
    return faults + [
        f"{name} shares its log" for name, group in used if group and groups_used.count(group) > 1
    ]


def timeouts(resources: Resources) -> list[str]:
    """API, function, application, backplane: each gives up before the one that waits for it."""
    faults = []
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        variables = function["Environment"]["Variables"]
        deadline = float(variables.get("SYNC_TIMEOUT_SECONDS", 0))
        allowed, inside, innermost = (
            (AUTHORIZER_SECONDS, SECRET_SECONDS, 0.0)
            if name == "AuthorizerFunction"
            else (
                API_SECONDS,
                deadline,
                BACKPLANE_SECONDS + UPLOAD_SECONDS * (name == "PredictAsyncFunction"),
            )
        )
        timeout = function.get("Timeout", allowed)
        if name == "AuthorizerFunction" and timeout > REFUSAL_SECONDS:
            faults.append(f"{name} lets callers wait for a refusal for {timeout} s")
        if timeout >= allowed:
            faults.append(f"{name} may run for {timeout} s of {allowed}")
        if not innermost < inside < timeout:
            faults.append(f"{name} gives up after {inside:g} s")
    return faults


def connections(resources: Resources, sizes: dict[str, dict[str, int]] | None = None) -> list[str]:
    """No size lets more connect at once than its broker takes, nor reserves more than an account has."""
    written = template()
    workers = written["Parameters"]["WorkerMax"]["MaxValue"] * CONNECTIONS_OF_A_WORKER
    reserved = {
        function["ReservedConcurrentExecutions"]["Fn::FindInMap"][2]: "VpcConfig" in function
        for function in of_type(resources, "AWS::Lambda::Function").values()
        if "ReservedConcurrentExecutions" in function
    }
    faults = []
    for limit, size in (sizes or written["Mappings"]["Concurrency"]).items():
        connected = sum(size[name] for name, connects in reserved.items() if connects) + workers
        if connected > int(limit):
            faults.append(f"{connected} connections to a broker that takes {limit}")
        if sum(size[name] for name in reserved) > ACCOUNT_CONCURRENCY - UNRESERVED:
            faults.append(f"{limit}: more concurrency than an account may reserve")
        if size["Burst"] > 2 * sum(size[name] for name in reserved):
            faults.append(f"{limit}: the API lets more in at once than the functions can take")
    return faults


def unsafe_buckets(resources: Resources) -> list[str]:
    """Each bucket is encrypted, private, reached by TLS alone, and forgets; it outlives its stack."""
    faults = []
    tls_only = {
        policy["Bucket"]["Ref"]
        for policy in of_type(resources, "AWS::S3::BucketPolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Action"] == "s3:*"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": False}}
    }
    for name, bucket in of_type(resources, "AWS::S3::Bucket").items():
        rules = bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
        if [rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in rules] != ["aws:kms"]:
            faults.append(f"{name} is not encrypted")
        if list(bucket.get("PublicAccessBlockConfiguration", {}).values()) != [True] * 4:
            faults.append(f"{name} is not private")
        if "LifecycleConfiguration" not in bucket:
            faults.append(f"{name} forgets nothing")
        if name not in tls_only:
            faults.append(f"{name} can be asked without TLS")
        if resources[name].get("DeletionPolicy") != "Retain":
            faults.append(f"{name} goes with its stack")
    return faults


def early_expiry(resources: Resources) -> list[str]:
    """No upload is gone while a request may still name it, and no result while its task is kept."""
    named = claim_check.USE_SECONDS / DAY_SECONDS
    kept = Settings.model_fields["result_ttl_seconds"].default / DAY_SECONDS
    rules = {
        rule["Prefix"]: rule["ExpirationInDays"]
        for rule in of_type(resources, "AWS::S3::Bucket")["PayloadBucket"]["LifecycleConfiguration"]["Rules"]
        if "Prefix" in rule
    }
    needed = {"inputs/": named, "results/": kept}
    return [f"{name} is gone too early" for name, days in needed.items() if rules.get(name, 0) <= days]


def unbounded_tasks(resources: Resources) -> list[str]:
    """Each container is confined, checked and stops in order; a service rolls back what does not start."""
    faults = []
    for name, container in _containers(resources):
        if container.get("ReadonlyRootFilesystem") is not True:
            faults.append(f"{name} can write to its root")
        if container.get("LinuxParameters", {}).get("Capabilities") != {"Drop": ["ALL"]}:
            faults.append(f"{name} keeps capabilities")
        if "HealthCheck" not in container:
            faults.append(f"{name} is not checked")
        if not SOFT_SHUTDOWN_SECONDS < container.get("StopTimeout", 0) <= STOP_SECONDS:
            faults.append(f"{name} is stopped within {container.get('StopTimeout')} s")
    for name, service in of_type(resources, "AWS::ECS::Service").items():
        breaker = service.get("DeploymentConfiguration", {}).get("DeploymentCircuitBreaker")
        if breaker != {"Enable": True, "Rollback": True}:
            faults.append(f"{name} does not roll back")
        if service["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] != "DISABLED":
            faults.append(f"{name} has a public address")
    return faults


def _containers(resources: Resources) -> list[tuple[str, dict[str, Any]]]:
    """Every container with the name of its task."""
    return [
        (name, container)
        for name, task in of_type(resources, "AWS::ECS::TaskDefinition").items()
        for container in task["ContainerDefinitions"]
    ]


def unrotated_keys(resources: Resources) -> list[str]:
    """Each key of ours is changed every year by itself."""
    keys = of_type(resources, "AWS::KMS::Key").items()
    return [f"{name} is never changed" for name, key in keys if key.get("EnableKeyRotation") is not True]


def outside_the_network(resources: Resources) -> list[str]:
    """Each function that asks broker or store stands in the network where they are, in a group of its own."""
    return [
        f"{name} stands outside the network"
        for name, function in of_type(resources, "AWS::Lambda::Function").items()
        if "BROKER_URL" in function["Environment"]["Variables"]
        and set(function.get("VpcConfig", {})) != {"SubnetIds", "SecurityGroupIds"}
    ]
