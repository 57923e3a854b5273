#!/usr/bin/env python3
"""The sandbox tried with clients that we did not write: boto3 and the AWS CLI.

    crates/sandbox/tests/clients.sh          # makes the venv, builds, runs this
    clients.py --serve PATH                  # PATH: the built example `serve`
    clients.py --aws PATH                    # PATH: the `aws` of the venv; without it boto3 alone

Each step prints one line; the first that comes out otherwise ends the run with status 1.
"""

import argparse
import json
import os
import subprocess
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


class World:
    """The serving sandbox, and clients for its identities."""

    def __init__(self, serve):
        self.process = subprocess.Popen([serve], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.facts = json.loads(self.process.stdout.readline())
        self.key = self.facts["key_arn"]

    def arn(self, name):
        return self.facts["identities"][name]["arn"]

    def client(self, name, service="kms", session=None):
        keys = self.facts["identities"][name]
        if session:
            keys = {"id": session["AccessKeyId"], "secret": session["SecretAccessKey"]}
        return boto3.client(
            service,
            endpoint_url=self.facts["url"],
            region_name=self.facts["region"],
            aws_access_key_id=keys["id"],
            aws_secret_access_key=keys["secret"],
            aws_session_token=session["SessionToken"] if session else None,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=10),
        )

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


def step(what, holds):
    print(("ok      " if holds else "FAILED  ") + what, flush=True)
    if not holds:
        sys.exit(1)


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"] == code
    return False


def by_boto3(world):
    admin, grantd = world.client("admin"), world.client("grantd")
    role_a, role_b = world.client("RoleA"), world.client("RoleB")
    key, role_b_arn = world.key, world.arn("RoleB")

    made = admin.create_key(Description="second")["KeyMetadata"]
    step("create-key, describe-key", admin.describe_key(KeyId=made["KeyId"])["KeyMetadata"]["Arn"] == made["Arn"])
    admin.create_alias(AliasName="alias/second", TargetKeyId=made["KeyId"])
    step("describe-key by alias", admin.describe_key(KeyId="alias/second")["KeyMetadata"]["Arn"] == made["Arn"])
    admin.update_alias(AliasName="alias/second", TargetKeyId=key)
    names = [a["AliasName"] for a in admin.list_aliases(KeyId=key)["Aliases"]]
    step("list-aliases of a key", names == [world.facts["alias"], "alias/second"])
    admin.delete_alias(AliasName="alias/second")
    step("list-keys", {k["KeyArn"] for k in admin.list_keys()["Keys"]} == {key, made["Arn"]})
    step("get-key-policy", "RoleAReads" in admin.get_key_policy(KeyId=key, PolicyName="default")["Policy"])

    context = {"tenant": "one"}
    blob = admin.encrypt(KeyId=world.facts["alias"], Plaintext=b"the data", EncryptionContext=context)["CiphertextBlob"]
    read = {"CiphertextBlob": blob, "EncryptionContext": context}
    step("RoleA decrypts by the key policy", role_a.decrypt(**read)["Plaintext"] == b"the data")
    step("RoleB does not", refused("AccessDeniedException", role_b.decrypt, **read))
    step("a wrong context does not open", refused("InvalidCiphertextException", role_a.decrypt, CiphertextBlob=blob))
    data_key = admin.generate_data_key(KeyId=key, KeySpec="AES_256")
    step("generate-data-key", role_a.decrypt(CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"])

    terms = {
        "KeyId": key,
        "GranteePrincipal": role_b_arn,
        "RetiringPrincipal": world.arn("grantd"),
        "Operations": ["Decrypt", "DescribeKey"],
        "Constraints": {"EncryptionContextSubset": context},
        "Name": "grantd/prod/g-7k2m9x4p1q8z/1/2026-11-23T18:00:00Z",
    }
    step("create-grant --dry-run", refused("DryRunOperationException", grantd.create_grant, DryRun=True, **terms))
    first, again = grantd.create_grant(**terms), grantd.create_grant(**terms)
    step("create-grant twice under one Name is one grant", first["GrantId"] == again["GrantId"] and first["GrantToken"] != again["GrantToken"])
    step("RoleB decrypts by the grant", role_b.decrypt(**read)["Plaintext"] == b"the data")
    plain = admin.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    step("but not without the context", refused("AccessDeniedException", role_b.decrypt, CiphertextBlob=plain))
    entry = grantd.list_grants(KeyId=key)["Grants"][0]
    step("list-grants shows it", entry["Name"] == terms["Name"] and abs(entry["CreationDate"].timestamp() - time.time()) < 60)
    step("revoke-grant is not grantd's", refused("AccessDeniedException", grantd.revoke_grant, KeyId=key, GrantId=first["GrantId"]))
    grantd.retire_grant(KeyId=key, GrantId=first["GrantId"])
    step("retire-grant takes it away", refused("AccessDeniedException", role_b.decrypt, **read))
    step("retired again: not found", refused("NotFoundException", grantd.retire_grant, KeyId=key, GrantId=first["GrantId"]))

    made = [grantd.create_grant(**{**terms, "Name": f"page-{i}"}) for i in range(25)]
    pages = list(grantd.get_paginator("list_grants").paginate(KeyId=key, PaginationConfig={"PageSize": 10}))
    ids = [g["GrantId"] for page in pages for g in page["Grants"]]
    step("list-grants in three pages", len(pages) == 3 and sorted(ids) == sorted(g["GrantId"] for g in made))
    retirable = grantd.list_retirable_grants(RetiringPrincipal=world.arn("grantd"))["Grants"]
    step("list-retirable-grants", len(retirable) == 25)
    admin.revoke_grant(KeyId=key, GrantId=made[0]["GrantId"])
    grantd.retire_grant(GrantToken=made[1]["GrantToken"])
    left = {g["GrantId"] for g in grantd.list_grants(KeyId=key, Limit=100)["Grants"]}
    step("revoke-grant, retire-grant by token", left == {g["GrantId"] for g in made[2:]})
    step("an unknown key", refused("NotFoundException", grantd.list_grants, KeyId="1234abcd-12ab-34cd-56ef-1234567890ab"))

    admin.disable_key(KeyId=key)
    step("a disabled key refuses grants", refused("DisabledException", grantd.create_grant, **terms))
    step("and use", refused("DisabledException", role_a.decrypt, **read))
    admin.enable_key(KeyId=key)
    admin.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    step("a key pending deletion refuses grants", refused("KMSInvalidStateException", grantd.create_grant, **terms))
    grantd.retire_grant(KeyId=key, GrantId=made[2]["GrantId"])
    step("but lets them be ended", len(grantd.list_grants(KeyId=key)["Grants"]) == 22)
    admin.cancel_key_deletion(KeyId=key)
    admin.enable_key(KeyId=key)

    sts = world.client("grantd-host", "sts")
    who = sts.get_caller_identity()
    step("get-caller-identity of a user", who["Arn"] == world.arn("grantd-host") and who["UserId"].startswith("AIDA"))
    session = sts.assume_role(RoleArn=world.arn("grantd"), RoleSessionName="grantd-h1")["Credentials"]
    step("assume-role", session["Expiration"].timestamp() - time.time() > 3_500)
    assumed = world.client("grantd-host", "sts", session).get_caller_identity()["Arn"]
    step("get-caller-identity of the session", assumed.endswith(":assumed-role/grantd/grantd-h1"))
    step("the session lists grants", "Grants" in world.client("grantd-host", session=session).list_grants(KeyId=key))
    step("assume-role of RoleB is refused", refused("AccessDenied", sts.assume_role, RoleArn=role_b_arn, RoleSessionName="xx"))


def by_cli(world, aws):
    def run(who, *arguments):
        keys = world.facts["identities"][who]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "AWS_ACCESS_KEY_ID": keys["id"],
            "AWS_SECRET_ACCESS_KEY": keys["secret"],
            "AWS_DEFAULT_REGION": world.facts["region"],
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
        }
        command = [aws, "--endpoint-url", world.facts["url"], "--output", "json", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else done.stderr

    key = run("admin", "kms", "create-key")["KeyMetadata"]["KeyId"]
    grant = ["kms", "create-grant", "--key-id", key, "--grantee-principal", world.arn("RoleB"),
             "--operations", "Decrypt", "--name", "ttl:2h"]
    first, again = run("grantd", *grant), run("grantd", *grant)
    step("aws kms create-key, create-grant twice", first["GrantId"] == again["GrantId"])
    listed = run("grantd", "kms", "list-grants", "--key-id", key)["Grants"]
    step("aws kms list-grants", [g["Name"] for g in listed] == ["ttl:2h"])
    text = run("RoleB", "kms", "revoke-grant", "--key-id", key, "--grant-id", first["GrantId"])
    step("aws kms revoke-grant as RoleB", "(AccessDeniedException)" in text)
    run("admin", "kms", "revoke-grant", "--key-id", key, "--grant-id", first["GrantId"])
    step("aws kms revoke-grant", run("grantd", "kms", "list-grants", "--key-id", key)["Grants"] == [])
    who = run("RoleB", "sts", "get-caller-identity")
    step("aws sts get-caller-identity", who["Arn"].endswith(":assumed-role/RoleB/story"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", required=True)
    parser.add_argument("--aws")
    options = parser.parse_args()
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    world = World(options.serve)
    try:
        by_boto3(world)
        if options.aws:
            by_cli(world, options.aws)
    finally:
        world.close()
    print("all as it should be")


main()
