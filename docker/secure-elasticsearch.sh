#!/usr/bin/env bash
# Roles and users with the least they need, passwords from the environment. Doing it again changes nothing but passwords.
#   news_writer  the DAGs: write articles, run reports and quarantine, and their templates
#   news_reader  people: read them, in Kibana too
#   news_kibana  the installer of dashboards: Kibana's saved objects, and reading
set -euo pipefail

elasticsearch() { # METHOD PATH BODY
    curl -fsS -X "$1" "https://elasticsearch:9200/$2" --cacert /certs/ca/ca.crt -u "elastic:$ELASTIC_PASSWORD" \
        -H 'Content-Type: application/json' -d "$3" >/dev/null
}

elasticsearch POST _security/user/kibana_system/_password "{\"password\": \"$KIBANA_SYSTEM_PASSWORD\"}"
elasticsearch PUT _security/role/news_write '{
  "cluster": ["monitor", "manage_index_templates", "manage_ilm", "create_snapshot"],
  "indices": [{"names": ["news", "news-*"], "privileges":
    ["read", "write", "create_index", "manage", "maintenance", "view_index_metadata"]}]}'
elasticsearch PUT _security/role/news_read '{
  "indices": [{"names": ["news", "news-*"], "privileges": ["read", "view_index_metadata"]}]}'
elasticsearch PUT _security/user/news_writer \
    "{\"password\": \"$NEWS_WRITER_PASSWORD\", \"roles\": [\"news_write\"]}"
elasticsearch PUT _security/user/news_reader \
    "{\"password\": \"$NEWS_READER_PASSWORD\", \"roles\": [\"news_read\", \"kibana_admin\"]}"
elasticsearch PUT _security/user/news_kibana \
    "{\"password\": \"$NEWS_KIBANA_PASSWORD\", \"roles\": [\"news_read\", \"kibana_admin\"]}"
echo "Roles and users are in place."
