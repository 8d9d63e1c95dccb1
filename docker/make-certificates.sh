#!/usr/bin/env bash
# A certificate authority of this installation's own, and a certificate for Elasticsearch signed by it. Runs once, in
# Elasticsearch's image, which brings the tool; afterwards it finds them there and changes nothing.
set -euo pipefail
cd /certs
if [ ! -f ca/ca.crt ]; then
    /usr/share/elasticsearch/bin/elasticsearch-certutil ca --silent --pem --days 3650 --out ca.zip
    unzip -q -o ca.zip && rm ca.zip
fi
if [ ! -f elasticsearch/elasticsearch.crt ]; then
    /usr/share/elasticsearch/bin/elasticsearch-certutil cert --silent --pem --days 3650 --out cert.zip --name elasticsearch \
        --ca-cert ca/ca.crt --ca-key ca/ca.key --dns elasticsearch --dns localhost --ip 127.0.0.1
    unzip -q -o cert.zip && rm cert.zip
fi
# The authority's key stays with root; Elasticsearch (uid 1000) reads its own; everybody may read the certificates.
chown -R root:root . && chmod 755 . ca elasticsearch && chmod 644 ca/ca.crt elasticsearch/elasticsearch.crt
chmod 600 ca/ca.key
chown 1000 elasticsearch/elasticsearch.key && chmod 400 elasticsearch/elasticsearch.key
