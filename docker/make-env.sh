#!/usr/bin/env bash
# Write .env with random secrets for docker-compose.yml. An existing file is never touched.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -e .env ]; then
    echo ".env is there already; nothing was changed."
    exit 0
fi
random() { python3 -c 'import secrets; print(secrets.token_hex(24))'; }
umask 077
{
    for name in ELASTIC_PASSWORD KIBANA_SYSTEM_PASSWORD NEWS_WRITER_PASSWORD NEWS_READER_PASSWORD NEWS_KIBANA_PASSWORD \
        KIBANA_ENCRYPTION_KEY POSTGRES_PASSWORD REDIS_PASSWORD AIRFLOW_SECRET_KEY AIRFLOW_JWT_SECRET; do
        echo "$name=$(random)"
    done
    # Airflow encrypts connections with it: 32 bytes, URL-safe base64.
    echo "AIRFLOW_FERNET_KEY=$(python3 -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())')"
    echo "NEWS_CONTACT="
} >.env
echo "Wrote .env. Put your e-mail or web address after NEWS_CONTACT= before you fetch from the web."
