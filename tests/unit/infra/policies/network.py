"""What the platform keeps from the world: nothing is public, nothing travels or lies in the clear."""

from tests.unit.infra.cloudformation import Resources, of_type

ENCRYPTED = {
    "AWS::ElastiCache::ReplicationGroup": ("AtRestEncryptionEnabled", "TransitEncryptionEnabled", "KmsKeyId"),
    "AWS::RDS::DBInstance": ("StorageEncrypted", "KmsKeyId"),
    "AWS::SecretsManager::Secret": ("KmsKeyId",),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
}
LEAST_BACKUP_DAYS = 7
STATEFUL = {"AWS::ElastiCache::ReplicationGroup", "AWS::RDS::DBInstance", "AWS::S3::Bucket", "AWS::KMS::Key"}
"""What holds something that is nowhere else."""


def public_places(resources: Resources) -> list[str]:
    """Nothing is reached from outside: groups come in, no address does, and nothing gets out but to AWS."""
    faults = [
        f"{name} is public" for name, one in resources.items() if one["Properties"].get("PubliclyAccessible")
    ]
    for name, group in of_type(resources, "AWS::EC2::SecurityGroup").items():
        faults += [
            f"{name} lets in {rule}"
            for rule in group.get("SecurityGroupIngress", [])
            if "SourceSecurityGroupId" not in rule
        ]
        if not group.get("SecurityGroupEgress"):
            faults.append(f"{name} lets everything out")
        faults += [
            f"{name} lets out {rule}"
            for rule in group.get("SecurityGroupEgress", [])
            if rule["CidrIp"] == "0.0.0.0/0" and (rule["FromPort"], rule["ToPort"]) != (443, 443)
        ]
    faults += [
        f"{name} leads to the internet"
        for name, one in resources.items()
        if one["Type"] in {"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route"}
    ]
    return faults


def clear_text(resources: Resources) -> list[str]:
    """What lies is encrypted with a key of ours, and what travels by TLS."""
    faults = [
        f"{name} has no {wanted}"
        for kind, needed in ENCRYPTED.items()
        for name, properties in of_type(resources, kind).items()
        for wanted in needed
        if not properties.get(wanted)
    ]
    faults += [
        f"{name} may be asked without TLS"
        for name, store in of_type(resources, "AWS::ElastiCache::ReplicationGroup").items()
        if store.get("TransitEncryptionMode") != "required"
    ]
    addresses = [
        (name, variable)
        for name, task in of_type(resources, "AWS::ECS::TaskDefinition").items()
        for container in task["ContainerDefinitions"]
        for variable in container.get("Environment", [])
    ]
    return faults + [
        f"{name} asks its database without TLS"
        for name, variable in addresses
        if "postgresql" in str(variable["Value"]) and "sslmode=require" not in str(variable["Value"])
    ]


def lost_with_the_stack(resources: Resources) -> list[str]:
    """What is nowhere else outlives its stack and its replacement, at least as a snapshot."""
    return [
        f"{name} is lost by {event}"
        for name, one in resources.items()
        if one["Type"] in STATEFUL
        for event in ("DeletionPolicy", "UpdateReplacePolicy")
        if one.get(event) not in {"Retain", "Snapshot"}
    ]


def evicting_stores(resources: Resources) -> list[str]:
    """A store that is full refuses; the scripts need all keys in one place."""
    faults = []
    for name, store in of_type(resources, "AWS::ElastiCache::ReplicationGroup").items():
        parameters = resources[store["CacheParameterGroupName"]["Ref"]]["Properties"]["Properties"]
        if parameters.get("maxmemory-policy") != "noeviction":
            faults.append(f"{name} evicts")
        if store.get("ClusterMode") != "disabled":
            faults.append(f"{name} spreads its keys")
    return faults


def unprotected_data(resources: Resources) -> list[str]:
    """The password is changed by itself, all is backed up; production has a second zone and a lock."""
    only_in_production = {"Fn::If": ["IsProd", True, False]}
    faults = []
    for name, database in of_type(resources, "AWS::RDS::DBInstance").items():
        if database.get("ManageMasterUserPassword") is not True:
            faults.append(f"{name} keeps its password for ever")
        if database.get("BackupRetentionPeriod", 0) < LEAST_BACKUP_DAYS:
            faults.append(f"{name} is not backed up for {LEAST_BACKUP_DAYS} days")
        faults += [
            f"{name} has no {wanted} in production"
            for wanted in ("DeletionProtection", "MultiAZ")
            if database.get(wanted) != only_in_production
        ]
    return faults + [
        f"{name} is not backed up for {LEAST_BACKUP_DAYS} days"
        for name, store in of_type(resources, "AWS::ElastiCache::ReplicationGroup").items()
        if store.get("SnapshotRetentionLimit", 0) < LEAST_BACKUP_DAYS
    ]
