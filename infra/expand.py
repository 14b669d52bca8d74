# /// script
# requires-python = ">=3.11"
# dependencies = ["aws-sam-translator==1.115.0", "pyyaml>=6.0.3"]
# ///
"""Print infra/template.yaml as CloudFormation sees it: with SAM's short forms written out, as JSON.

`uv run --script infra/expand.py` runs it in an environment of its own, for AWS's translator holds pydantic
below what the functions use. Needs neither an account nor a region; code is taken to lie in some bucket.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

# The translator asks for a region and makes nothing of it.
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).with_name("template.yaml")
UPLOADED: dict[str, Any] = {
    "CodeUri": "s3://bucket/key",
    "ContentUri": "s3://bucket/key",
    "Code": {"S3Bucket": "bucket", "S3Key": "key"},
    "TemplateURL": "https://bucket.s3.amazonaws.com/key",
}


class ManagedPolicies:
    """What the translator would ask IAM for."""

    def load(self) -> dict[str, str]:
        """Arns by name; the template's roles are its own, so hardly any is asked for."""
        return {}


def uploaded(template: dict[str, Any]) -> dict[str, Any]:
    """The template as `sam package` leaves it."""
    for resource in template["Resources"].values():
        properties = resource["Properties"]
        properties.update({name: place for name, place in UPLOADED.items() if name in properties})
    return template


if __name__ == "__main__":
    expanded = transform(uploaded(yaml_parse(TEMPLATE.read_text())), {}, ManagedPolicies())
    json.dump(expanded, sys.stdout, indent=1)
