"""A gateway before the stand-in functions, for a server that takes an import path."""

from local.gateway import Gateway
from tests.unit.local.standin_functions import in_process

app = Gateway(in_process)
