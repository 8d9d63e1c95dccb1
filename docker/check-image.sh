#!/usr/bin/env bash
# Take the Dockerfile's steps in a clean folder, without an engine: each RUN and COPY as it stands there, with /opt/news,
# /var/lib/news and the accounts below that folder; then see that what was installed works from there alone.
#   docker/check-image.sh            needs uv (or pip to get it) and the package index
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# What the base image brings: Debian's accounts.
mkdir -p "$root/etc" "$root/home" "$root/opt/news"
cp /usr/share/base-passwd/passwd.master "$root/etc/passwd"
cp /usr/share/base-passwd/group.master "$root/etc/group"

# The same commands, on this root: paths moved, accounts made there, owners left alone, uv taken as it is here.
uv=$(command -v uv || echo "$repository/.uv/bin/uv")
mkdir -p "$root/bin"
ln -s "$uv" "$root/bin/uv"
for command in groupadd useradd; do
    printf '#!/bin/sh\nexec /usr/sbin/%s --prefix "%s" "$@"\n' "$command" "$root" >"$root/bin/$command"
done
printf '#!/bin/sh\nexec true\n' >"$root/bin/chown"
printf '#!/bin/sh\nexec true\n' >"$root/bin/pip"
chmod +x "$root"/bin/*

steps=$(sed -e ':join' -e '/\\$/{N;s/\\\n//;bjoin}' "$repository/Dockerfile" | grep -E '^(ARG|RUN|COPY) ')
moved() { sed -e "s#/opt/news#$root/opt/news#g" -e "s#/var/lib/news#$root/var/lib/news#g"; }
cd "$root/opt/news"
export PATH="$root/bin:$PATH" UV_LINK_MODE=hardlink UV_NO_PROGRESS=1
while read -r step rest; do
    echo "$step $rest"
    case $step in
        ARG) eval "export $rest" ;;
        RUN) bash -euc "$(moved <<<"$rest")" 2>"$root/step.log" || { tail -20 "$root/step.log"; exit 1; } ;;
        COPY)
            read -r -a words <<<"$rest"
            target=${words[-1]}
            for source in "${words[@]::${#words[@]}-1}"; do
                cp -r "$repository/$source" "$target"
            done
            ;;
    esac
done <<<"$steps"

user=$(sed -n 's/^USER //p' "$repository/Dockerfile")
grep -q "^$user:[^:]*:50000:50000:" "$root/etc/passwd" || { echo "the account $user was not made as uid and gid 50000"; exit 1; }

# What the image's environment says, and nothing of this one.
work=(env -i "PATH=$root/opt/news/.venv/bin:/usr/bin:/bin" "HOME=$root/home" LANG=C.UTF-8
    "NEWS_HOME=$root/var/lib/news" "NEWS_CONFIG=$root/opt/news/config" "AIRFLOW_HOME=$root/var/lib/news/airflow"
    AIRFLOW__CORE__LOAD_EXAMPLES=False "AIRFLOW__CORE__PLUGINS_FOLDER=$root/opt/news/plugins"
    "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST=[{\"name\": \"news\", \"classpath\": \"airflow.dag_processing.bundles.local.LocalDagBundle\", \"kwargs\": {\"path\": \"$root/opt/news/dags\"}}]")
cd /
"${work[@]}" news --version
"${work[@]}" python -c "import pathlib, pipeline; assert '$root' in pipeline.__file__, pipeline.__file__"
"${work[@]}" airflow db migrate >"$root/migrate.log" 2>&1 || { tail -20 "$root/migrate.log"; exit 1; }
"${work[@]}" airflow dags reserialize >"$root/dags.log" 2>&1 || { tail -20 "$root/dags.log"; exit 1; }
dags=$("${work[@]}" airflow dags list --output plain 2>/dev/null | awk '$1 ~ /^news/ {print $1}')
echo "DAGs: $(echo $dags)"
for dag in news_ingest news_maintenance news_quarantine_retry news_alerts; do
    grep -qx "$dag" <<<"$dags" || { echo "DAG $dag is missing"; exit 1; }
done
"${work[@]}" airflow dags list-import-errors >"$root/errors.log" 2>&1 || { cat "$root/errors.log"; exit 1; }
echo "The image's steps work."
