#!/bin/sh
# Caddy knows passwords as hashes only; the one of .env is hashed here, at every start.
set -eu
: "${DAGSTER_PASSWORD:?is not set}"
if [ "${#DAGSTER_PASSWORD}" -lt 8 ]; then
  echo "DAGSTER_PASSWORD has fewer than 8 characters: choose a longer one" >&2
  exit 1
fi
DAGSTER_HASH=$(caddy hash-password --plaintext "$DAGSTER_PASSWORD")
export DAGSTER_HASH
unset DAGSTER_PASSWORD
exec caddy run --config /etc/caddy/Caddyfile --adapter caddyfile
