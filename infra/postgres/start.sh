#!/bin/sh
# Makes the database where there is none, sets its user's password to POSTGRES_PASSWORD, and serves. The password is
# set at every start, so that another in .env is another in here, and stands in no argument and no log.
set -eu
data=/var/lib/postgresql/17
alone() { postgres --single -j -c log_min_messages=fatal -D "$1" postgres > /dev/null; }

if [ ! -d "$data" ]; then
    # Under its name only once it is whole: what a killed start left is made anew.
    rm -rf "$data.new"
    initdb --pgdata "$data.new" --username postgres --auth reject --encoding UTF8 --locale C.UTF-8 > /dev/null
    # Nobody but that user gets in, and to that database alone.
    echo "host mlflow mlflow all scram-sha-256" > "$data.new/pg_hba.conf"
    printf 'CREATE ROLE mlflow LOGIN;\n\nCREATE DATABASE mlflow OWNER mlflow;\n\n' | alone "$data.new"
    mv "$data.new" "$data"
fi
password=$(printf %s "${POSTGRES_PASSWORD:?}" | sed "s/'/''/g")
printf "ALTER ROLE mlflow PASSWORD '%s';\n\n" "$password" | alone "$data"
unset POSTGRES_PASSWORD password
exec postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp -c max_connections=50 -c shared_buffers=64MB
