#!/bin/sh
# Starts the broker with its queues already declared. definitions.json is the topology alone (local/definitions.py);
# a broker that loads definitions makes neither its first user nor its virtual host, so they are a second file.
set -eu
umask 077
mkdir -p /tmp/definitions
cp /etc/tandem/definitions.json /tmp/definitions/20-topology.json
cat > /tmp/definitions/10-access.json <<END
{"vhosts": [{"name": "/"}],
 "users": [{"name": "$RABBITMQ_DEFAULT_USER", "password": "$RABBITMQ_DEFAULT_PASS", "tags": ["administrator"]}],
 "permissions": [{"user": "$RABBITMQ_DEFAULT_USER", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}]}
END
exec docker-entrypoint.sh rabbitmq-server
