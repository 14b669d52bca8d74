"""Who may do what: actions, resources, roles, routes and secrets. Each policy tells its faults."""

import re
from collections.abc import Iterator
from typing import Any

from tandem.backplane.callers import KEY_HEADER
from tandem.backplane.secrets import FRESH_SECONDS
from tests.unit.infra.cloudformation import Resources, of_type

WITHDRAWN_SECONDS = 120
"""How long a key that is withdrawn may still work (docs/09-callers-and-secrets.md)."""

OPEN_PATHS = {"/health/live", "/health/ready", "/healthcheck"}
"""What anybody may ask."""

WHOLE_SERVICE = {
    ("Key", "Administration"): "without it nobody could administer the key, the account included"
}
"""Statements that may allow every action of a service, and why."""

EVERY_RESOURCE = {
    ("Key", "Administration"): "in a key's policy `*` is that key",
    ("Key", "Logs"): "in a key's policy `*` is that key",
    ("Key", "Alarms"): "in a key's policy `*` is that key",
    ("FunctionPolicy", "Traces"): "X-Ray's actions know no resource",
    ("AuthorizerRole", "Traces"): "X-Ray's actions know no resource",
    ("FunctionPolicy", "NetworkInterfaces"): "the interfaces are not there yet; code may not use the right",
    ("WorkerExecutionRole", "Registry"): "the log-in to ECR knows no resource",
    ("MlflowExecutionRole", "Registry"): "the log-in to ECR knows no resource",
}
"""Statements that may name every resource, and why."""

AWS_POLICIES = {"arn:aws:iam::aws:policy/service-role/AWSCodeDeployRoleForLambda"}
"""Policies of AWS's own that the transform attaches."""

BUCKET = {"Fn::GetAtt": ["PayloadBucket", "Arn"]}
PAYLOADS = {
    ("UploadsRole", "s3:PutObject"): {"Fn::Sub": "${PayloadBucket.Arn}/inputs/*"},
    ("PredictAsyncRole", "s3:GetObject"): {"Fn::Sub": "${PayloadBucket.Arn}/inputs/*"},
    ("PredictAsyncRole", "s3:ListBucket"): BUCKET,
    ("TaskStatusRole", "s3:GetObject"): {"Fn::Sub": "${PayloadBucket.Arn}/results/*"},
    ("WorkerRole", "s3:PutObject"): {"Fn::Sub": "arn:${AWS::Partition}:s3:::${PayloadBucket}/results/*"},
}
"""All that anybody may do with payloads, and with which: uploads come in and are read, results likewise."""
KEYS = {"s3:PutObject": "kms:GenerateDataKey", "s3:GetObject": "kms:Decrypt"}
"""What it takes besides, for all that lies there is encrypted."""

SECRET_NAME = re.compile(r"(?i)(broker_url|redis_url|password|auth_?token|secret_?string)$")
CREDENTIALS = re.compile(r"://[^/\s:]*:(?P<password>[^/\s@]+)@")


def statements(resources: Resources) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every policy with the resource that it stands in."""
    for name, one in resources.items():
        properties = one.get("Properties", {})
        documents = [
            properties.get(key) for key in ("PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument")
        ]
        documents += [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        for document in documents:
            if isinstance(document, dict):
                for statement in document["Statement"]:
                    yield name, statement


def listed(value: Any) -> list[Any]:
    """One or many as many."""
    return value if isinstance(value, list) else [value]


def wildcard_actions(resources: Resources) -> list[str]:
    """Nothing may do everything, not even of one service."""
    return [
        f"{name} allows {action}"
        for name, statement in statements(resources)
        if statement["Effect"] == "Allow" and (name, statement.get("Sid")) not in WHOLE_SERVICE
        for action in listed(statement.get("Action", "NotAction"))
        if "*" in action or action == "NotAction"
    ]


def wildcard_resources(resources: Resources) -> list[str]:
    """Nothing may do something to everything, but for what is named above with its reason."""
    return [
        f"{name} allows {statement['Action']} on every resource"
        for name, statement in statements(resources)
        if statement["Effect"] == "Allow"
        and "*" in listed(statement.get("Resource", []))
        and (name, statement.get("Sid")) not in EVERY_RESOURCE
    ]


def shared_roles(resources: Resources) -> list[str]:
    """Each function has a role of its own, which allows writing to the function's own log alone."""
    faults = []
    owner: dict[str, str] = {}
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        role = function["Role"]["Fn::GetAtt"][0]
        if role in owner:
            faults.append(f"{name} shares {role} with {owner[role]}")
        owner[role] = name
        log = function["LoggingConfig"]["LogGroup"]["Ref"]
        faults += [
            f"{name} may write to {statement['Resource']}"
            for where, statement in statements({role: resources[role]})
            if any(action.startswith("logs:") for action in listed(statement["Action"]))
            and statement["Resource"] != {"Fn::GetAtt": [log, "Arn"]}
        ]
    for name, role in of_type(resources, "AWS::IAM::Role").items():
        foreign = [one for one in role.get("ManagedPolicyArns", []) if isinstance(one, str)]
        faults += [f"{name} has {one}" for one in foreign if one not in AWS_POLICIES]
    return faults


def payload_rights(resources: Resources) -> list[str]:
    """Who puts payloads into the bucket or gets them out may do that alone, and is told its name."""
    allowed: dict[tuple[str, str], Any] = {}
    for name, statement in statements(resources):
        if statement["Effect"] == "Allow":
            allowed |= {(name, action): statement.get("Resource") for action in listed(statement["Action"])}
    found = {right: where for right, where in allowed.items() if right[1].startswith("s3:")}
    faults = [f"{name} may {action} {found[name, action]}" for name, action in found.keys() - PAYLOADS.keys()]
    for (name, action), where in PAYLOADS.items():
        if found.get((name, action)) != where:
            faults.append(f"{name} may {action} {found.get((name, action))} and not {where}")
        if action in KEYS and (name, KEYS[action]) not in allowed:
            faults.append(f"{name} may not {KEYS[action]}")
    users = {role for role, _ in PAYLOADS}
    told = {
        function["Role"]["Fn::GetAtt"][0]
        for function in of_type(resources, "AWS::Lambda::Function").values()
        if "PAYLOAD_BUCKET" in function["Environment"]["Variables"]
    }
    for task in of_type(resources, "AWS::ECS::TaskDefinition").values():
        names = {variable["Name"] for one in task["ContainerDefinitions"] for variable in one["Environment"]}
        if "PAYLOAD_BUCKET" in names:
            told.add(task["TaskRoleArn"]["Fn::GetAtt"][0])
    return faults + [f"{role} has not what it is told of the bucket for" for role in users ^ told]


def open_routes(resources: Resources) -> list[str]:
    """Every route but health asks the authorizer, and the authorizer is the function of that name."""
    body = resources["Api"]["Properties"]["Body"]
    schemes = body.get("components", {}).get("securitySchemes", {})
    faults = [] if "AuthorizerFunction" in str(schemes.get("ApiKey")) else ["the API has no authorizer"]
    for path, methods in body["paths"].items():
        wanted = "NONE" if path.rstrip("/") in OPEN_PATHS else "ApiKey"
        faults += [
            f"{method} {path} asks {route.get('security')}, not {wanted}"
            for method, route in methods.items()
            if route.get("security") != [{wanted: []}]
        ]
    return faults


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every string below a value with the name it bears; environments name theirs in two ways."""
    if isinstance(value, dict):
        for name, below in value.items():
            bears = key if name == "Ref" or name.startswith("Fn::") else name
            yield from _strings(below, value["Name"] if name == "Value" and "Name" in value else bears)
    elif isinstance(value, list):
        for below in value:
            yield from _strings(below, key)
    elif isinstance(value, str):
        yield key, value


def secrets_by_value(resources: Resources) -> list[str]:
    """No secret stands in a template, and none is a parameter: all are references that are resolved late."""
    faults = []
    for name, one in resources.items():
        for key, text in _strings(one.get("Properties", {})):
            credentials = CREDENTIALS.search(text)
            if credentials and not credentials["password"].startswith("{{resolve:"):
                faults.append(f"{name}: {key} holds credentials")
            if SECRET_NAME.search(key) and not ("{{resolve:" in text or text == "{}"):
                faults.append(f"{name}: {key} is not a reference to a secret")
    return faults


def foreign_trust(resources: Resources) -> list[str]:
    """Each role is a service's to assume, and nobody's besides."""
    return [
        f"{name} may be assumed by {statement['Principal']}"
        for name, role in of_type(resources, "AWS::IAM::Role").items()
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
        if set(statement["Principal"]) != {"Service"}
        or any("*" in service for service in listed(statement["Principal"]["Service"]))
    ]


def lasting_keys(resources: Resources) -> list[str]:
    """The API asks by the header that the gateway reads, and a key that is withdrawn soon works no more."""
    schemes = resources["Api"]["Properties"]["Body"]["components"]["securitySchemes"]
    authorizer = schemes["ApiKey"]["x-amazon-apigateway-authorizer"]
    asked, kept = authorizer["identitySource"], authorizer["authorizerResultTtlInSeconds"]
    header = f"$request.header.{KEY_HEADER.decode()}"
    told = [one.lower() for one in listed(asked)]
    faults = [] if told == [header] else [f"the authorizer is asked by {asked}"]
    if kept + FRESH_SECONDS > WITHDRAWN_SECONDS:
        faults.append(f"a key that is withdrawn works for {kept + FRESH_SECONDS:g} s")
    return faults
