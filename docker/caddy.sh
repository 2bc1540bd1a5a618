#!/bin/sh
# Caddy knows the login of .env as a browser sends it.
set -eu
: "${DAGSTER_PASSWORD:?is not set}"
if [ "${#DAGSTER_PASSWORD}" -lt 16 ]; then
  echo "DAGSTER_PASSWORD has fewer than 16 characters: choose a longer one, such as openssl rand -hex 16 prints" >&2
  exit 1
fi
DAGSTER_LOGIN=$(printf '%s' "${DAGSTER_USER:-admin}:$DAGSTER_PASSWORD" | base64 | tr -d '\n')
export DAGSTER_LOGIN
unset DAGSTER_PASSWORD
exec caddy run --config /etc/caddy/Caddyfile --adapter caddyfile
