# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Scripts of the Jobs that make databases and buckets; each looks first, so that it can run again. Private, pure."""

from __future__ import annotations

# Needs PG*, NAME, PASSWORD.
POSTGRES = r"""psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 <<'SQL'
\getenv name NAME
\getenv password PASSWORD
SELECT format('CREATE ROLE %I', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" LOGIN PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
ALTER DATABASE :"name" OWNER TO :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
"""

# Needs ADMIN_TOKEN, NAME, BUCKETS and the key. The admin API and not the CLI, which asks for the node's own id.
GARAGE = r"""api() {
  call=$1
  shift
  curl --silent --show-error --fail --header "Authorization: Bearer $ADMIN_TOKEN" "$ADMIN_URL/v2/$call" "$@"
}
if ! api "GetKeyInfo?id=$AWS_ACCESS_KEY_ID" >/dev/null 2>&1; then
  printf '{"name": "%s", "accessKeyId": "%s", "secretAccessKey": "%s"}' \
    "$NAME" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" | api ImportKey --data @- >/dev/null
fi
for bucket in $BUCKETS; do
  if ! api "GetBucketInfo?globalAlias=$bucket" >/dev/null 2>&1; then
    printf '{"globalAlias": "%s"}' "$bucket" | api CreateBucket --data @- >/dev/null
  fi
  id=$(api "GetBucketInfo?globalAlias=$bucket" | sed -n 's/^  "id": "\([0-9a-f]*\)",$/\1/p')
  printf '{"bucketId": "%s", "accessKeyId": "%s", "permissions": {"read": true, "write": true, "owner": true}}' \
    "$id" "$AWS_ACCESS_KEY_ID" | api AllowBucketKey --data @- >/dev/null
done
"""

# Needs ROOT_*, NAME, BUCKETS and the key.
MINIO = r"""export MC_CONFIG_DIR=/tmp/mc MC_HOST_store="http://$ROOT_USER:$ROOT_PASSWORD@$STORE"
resources=
for bucket in $BUCKETS; do
  mc mb --ignore-existing "store/$bucket"
  resources="$resources${resources:+, }\"arn:aws:s3:::$bucket\", \"arn:aws:s3:::$bucket/*\""
done
printf '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": [%s]}]}' \
  "$resources" >/tmp/policy.json
mc admin policy create store "$NAME" /tmp/policy.json
mc admin user add store "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY"
if ! mc admin user info --json store "$AWS_ACCESS_KEY_ID" | grep -q "\"policyName\": *\"$NAME\""; then
  mc admin policy attach store "$NAME" --user "$AWS_ACCESS_KEY_ID"
fi
"""
