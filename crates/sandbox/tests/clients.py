#!/usr/bin/env python3
"""The sandbox tried with clients that we did not write: boto3 and the AWS CLI.

    clients.py boto3                         # run by tests/clients.rs, which serves a sandbox, and
    clients.py aws PATH                      # tells on standard input where it is and who is in it

Each step prints one line; the first that comes out otherwise ends the run with status 1. So does an operation of the
sandbox of which no call was accepted: a new one needs a step here, with either client.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request


class World:
    """The serving sandbox, and boto3's clients for its identities."""

    def __init__(self, facts):
        self.facts = facts
        self.key = facts["key_arn"]

    def arn(self, name):
        return self.facts["identities"][name]["arn"]

    def client(self, name, service="kms", session=None):
        import boto3
        from botocore.config import Config

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
            config=Config(retries={"total_max_attempts": 1}, read_timeout=60),
        )

    def untried(self):
        """The operations of which the sandbox accepted no call."""
        with urllib.request.urlopen(self.facts["url"] + "/_sandbox/tally", timeout=60) as answer:
            tally = json.load(answer)
        return [name for name in self.facts["operations"] if not tally[name]["accepted"]]


def step(what, holds):
    print(("ok      " if holds else "FAILED  ") + what, flush=True)
    if not holds:
        sys.exit(1)


def refused(code, call, **arguments):
    from botocore.exceptions import ClientError

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
    aws_own = {a["AliasName"]: a.get("TargetKeyId") for a in admin.list_aliases()["Aliases"]}
    step("list-aliases with AWS's own, which have no key yet", aws_own["alias/aws/s3"] is None)
    step("list-keys", {k["KeyArn"] for k in admin.list_keys()["Keys"]} == {key, made["Arn"]})
    policy = admin.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    admin.put_key_policy(KeyId=made["KeyId"], PolicyName="default", Policy=policy)
    step("get-key-policy, put-key-policy", admin.get_key_policy(KeyId=made["KeyId"])["Policy"] == policy and "RoleAReads" in policy)
    managed = admin.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    step("describe-key of AWS's own alias makes the key", managed["KeyManager"] == "AWS")

    context = {"tenant": "one"}
    blob = admin.encrypt(KeyId=world.facts["alias"], Plaintext=b"the data", EncryptionContext=context)["CiphertextBlob"]
    read = {"CiphertextBlob": blob, "EncryptionContext": context}
    step("RoleA decrypts by the key policy", role_a.decrypt(**read)["Plaintext"] == b"the data")
    step("RoleB does not", refused("AccessDeniedException", role_b.decrypt, **read))
    step("a wrong context does not open", refused("InvalidCiphertextException", role_a.decrypt, CiphertextBlob=blob))
    data_key = admin.generate_data_key(KeyId=key, KeySpec="AES_256")
    step("generate-data-key", role_a.decrypt(CiphertextBlob=data_key["CiphertextBlob"])["Plaintext"] == data_key["Plaintext"])
    hidden = admin.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=64)
    step("generate-data-key-without-plaintext", len(role_a.decrypt(CiphertextBlob=hidden["CiphertextBlob"])["Plaintext"]) == 64)
    step("decrypt --dry-run", refused("DryRunOperationException", role_a.decrypt, DryRun=True, **read))
    other = {"DestinationKeyId": made["KeyId"], "DestinationEncryptionContext": {"tenant": "two"}}
    moved = admin.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=context, **other)
    opened = admin.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"tenant": "two"})
    step("re-encrypt", (opened["Plaintext"], opened["KeyId"], moved["SourceKeyId"]) == (b"the data", made["Arn"], key))

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


def by_cli(world, aws, scratch):
    def run(who, *arguments, session=None):
        keys = world.facts["identities"][who]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "AWS_ACCESS_KEY_ID": session["AccessKeyId"] if session else keys["id"],
            "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"] if session else keys["secret"],
            "AWS_DEFAULT_REGION": world.facts["region"],
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
        }
        if session:
            environment["AWS_SESSION_TOKEN"] = session["SessionToken"]
        command = [aws, "--endpoint-url", world.facts["url"], "--output", "json", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            return done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def kms(who, *arguments):
        return run(who, "kms", *arguments)

    def blob(answer):
        """A ciphertext as a file: the CLI prints base64 and reads bytes."""
        import base64

        path = os.path.join(scratch, "blob")
        with open(path, "wb") as file:
            file.write(base64.b64decode(answer["CiphertextBlob"]))
        return "fileb://" + path

    made = kms("admin", "create-key", "--description", "second")["KeyMetadata"]
    key = made["KeyId"]
    step("aws kms create-key, describe-key", kms("admin", "describe-key", "--key-id", key)["KeyMetadata"]["Arn"] == made["Arn"])
    step("list-keys", {"KeyId": key, "KeyArn": made["Arn"]} in kms("admin", "list-keys")["Keys"])
    kms("admin", "create-alias", "--alias-name", "alias/second", "--target-key-id", world.key)
    kms("admin", "update-alias", "--alias-name", "alias/second", "--target-key-id", key)
    names = [a["AliasName"] for a in kms("admin", "list-aliases", "--key-id", key)["Aliases"]]
    step("create-alias, update-alias, list-aliases", names == ["alias/second"])
    step("delete-alias", kms("admin", "delete-alias", "--alias-name", "alias/second") is None)
    policy = kms("admin", "get-key-policy", "--key-id", key, "--policy-name", "default")["Policy"]
    put = kms("admin", "put-key-policy", "--key-id", key, "--policy-name", "default", "--policy", policy)
    step("get-key-policy, put-key-policy", put is None and "kms:*" in policy)

    sealed = blob(kms("admin", "encrypt", "--key-id", key, "--plaintext", "the data", "--encryption-context", "a=1"))
    read = ["decrypt", "--ciphertext-blob", sealed, "--encryption-context", "a=1"]
    grant = ["create-grant", "--key-id", key, "--grantee-principal", world.arn("RoleB"), "--operations", "Decrypt",
             "--name", "ttl:2h", "--constraints", "EncryptionContextSubset={a=1}",
             "--retiring-principal", world.arn("grantd")]
    step("create-grant --dry-run", "(DryRunOperationException)" in kms("grantd", *grant, "--dry-run"))
    first, again = kms("grantd", *grant), kms("grantd", *grant)
    step("create-grant twice under one name", first["GrantId"] == again["GrantId"] and first["GrantToken"] != again["GrantToken"])
    step("encrypt, decrypt by the grant", kms("RoleB", *read)["Plaintext"] == "dGhlIGRhdGE=")
    listed = kms("grantd", "list-grants", "--key-id", key)["Grants"]
    step("list-grants", [g["Name"] for g in listed] == ["ttl:2h"])
    mine = kms("grantd", "list-retirable-grants", "--retiring-principal", world.arn("grantd"))["Grants"]
    step("list-retirable-grants", [g["GrantId"] for g in mine] == [first["GrantId"]])
    by_id = ["--key-id", made["Arn"], "--grant-id", first["GrantId"]]
    step("revoke-grant as RoleB", "(AccessDeniedException)" in kms("RoleB", "revoke-grant", *by_id))
    step("retire-grant", kms("grantd", "retire-grant", *by_id) is None)
    step("and it is gone", "(AccessDeniedException)" in kms("RoleB", *read))
    again = kms("grantd", *grant)
    step("revoke-grant", kms("admin", "revoke-grant", "--key-id", key, "--grant-id", again["GrantId"]) is None)
    step("of which nothing is left", kms("grantd", "list-grants", "--key-id", key)["Grants"] == [])

    data_key = kms("admin", "generate-data-key", "--key-id", key, "--key-spec", "AES_256")
    opened = kms("admin", "decrypt", "--ciphertext-blob", blob(data_key))
    step("generate-data-key", opened["Plaintext"] == data_key["Plaintext"])
    hidden = kms("admin", "generate-data-key-without-plaintext", "--key-id", key, "--number-of-bytes", "8")
    moved = kms("admin", "re-encrypt", "--ciphertext-blob", blob(hidden), "--destination-key-id", world.key)
    step("generate-data-key-without-plaintext, re-encrypt", (moved["SourceKeyId"], moved["KeyId"]) == (made["Arn"], world.key))

    step("disable-key", kms("admin", "disable-key", "--key-id", key) is None)
    step("which refuses grants", "(DisabledException)" in kms("grantd", *grant))
    step("enable-key", kms("admin", "enable-key", "--key-id", key) is None)
    ends = kms("admin", "schedule-key-deletion", "--key-id", key, "--pending-window-in-days", "7")
    step("schedule-key-deletion", ends["KeyState"] == "PendingDeletion")
    step("cancel-key-deletion", kms("admin", "cancel-key-deletion", "--key-id", key)["KeyId"] == made["Arn"])

    session = run("grantd-host", "sts", "assume-role", "--role-arn", world.arn("grantd"), "--role-session-name", "cli")
    who = run("grantd-host", "sts", "get-caller-identity", session=session["Credentials"])
    step("aws sts assume-role, get-caller-identity", who["Arn"].endswith(":assumed-role/grantd/cli"))


def main():
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    world = World(json.load(sys.stdin))
    if sys.argv[1] == "boto3":
        by_boto3(world)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            by_cli(world, sys.argv[2], scratch)
    untried = world.untried()
    step("every operation of the sandbox was accepted once" + "".join(f"; not {name}" for name in untried), not untried)
    print("all as it should be")


main()
