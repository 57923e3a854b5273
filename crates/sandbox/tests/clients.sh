#!/bin/sh
# Tries the sandbox with boto3 and the AWS CLI. Everything it installs goes under target/.
# Status: 0 all well, 1 something came out otherwise, 77 the clients could not be had (skipped).
set -eu
cd "$(dirname "$0")/../../.."
target=${CARGO_TARGET_DIR:-target}
venv=$target/clients-venv
if ! "$venv/bin/python" -c 'import boto3, awscli' 2>/dev/null; then
    { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet boto3==1.44.5 awscli; } || {
        echo "SKIPPED: boto3 and awscli cannot be installed in $venv" >&2
        exit 77
    }
fi
cargo build --quiet -p kms-sandbox --example serve
exec "$venv/bin/python" crates/sandbox/tests/clients.py --serve "$target/debug/examples/serve" --aws "$venv/bin/aws"
