"""A root key in AWS KMS, through boto3 (the extra `aws`)."""

from __future__ import annotations

import logging
import re
from datetime import datetime
from typing import TYPE_CHECKING

from sfumato.audit.event import utc
from sfumato.errors import InputError, KeyMissing, StorageError, VaultError
from sfumato.model.private import Private
from sfumato.vault.followups import Fate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.client import BaseClient

TITLE = "AWS KMS"
ATTEMPTS = 4
CONNECT_S, READ_S = 5.0, 10.0
ARN = re.compile(r"arn:aws[a-z-]*:kms:([a-z0-9-]+):\d{12}:key/[A-Za-z0-9-]+")
_NOT_OPENED = {"InvalidCiphertextException", "IncorrectKeyException"}
_BUSY = {"KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException", "ThrottlingException"}
_BUSY |= {"LimitExceededException", "RequestLimitExceeded", "Throttling", "InternalFailure", "ServiceUnavailable"}
_FAILED = 500


class AwsKey(Private):
    """One symmetric key, by its ARN; contexts are its encryption context, which CloudTrail logs in clear."""

    __slots__ = ("_arn", "_client")

    def __init__(self, client: BaseClient, *, arn: str) -> None:
        self._client = client
        self._arn = arn

    @property
    def id(self) -> str:
        """`aws-kms:` and the ARN; not the key material, which the service may rotate by itself."""
        return f"aws-kms:{self._arn}"

    def wrap(self, secret: bytes, context: Mapping[str, str]) -> bytes:
        """The service's ciphertext blob. Raises: see `KeyWrapper`."""
        return self._call("encrypt", "CiphertextBlob", Plaintext=secret, EncryptionContext=dict(context))

    def unwrap(self, blob: bytes, context: Mapping[str, str]) -> bytes:
        """What `wrap` was given. Raises: see `KeyWrapper`."""
        return self._call("decrypt", "Plaintext", CiphertextBlob=blob, EncryptionContext=dict(context))

    def fate(self) -> Fate:
        """What DescribeKey says: a deletion waits 7 to 30 days, and afterwards there is no such key."""
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        told = {"service": TITLE, "call": "DescribeKey"}
        try:
            found = self._client.describe_key(KeyId=self._arn).get("KeyMetadata", {})
        except ClientError as failure:
            if failure.response.get("Error", {}).get("Code") == "NotFoundException":
                return Fate(state="destroyed", evidence=told | {"answer": "NotFoundException"})
            raise self._told(failure.response) from None
        except (BotoCoreError, ResponseParserError) as failure:
            raise StorageError(f"{TITLE} can't be used now ({type(failure).__name__}): run again") from None
        state, ends = found.get("KeyState"), found.get("DeletionDate")
        if state is None:
            raise StorageError(f"{TITLE} can't be used now (an answer without KeyState)")
        if state != "PendingDeletion":
            return Fate(state="usable", evidence=told)
        when = {"deletion": utc(ends)} if isinstance(ends, datetime) else {}
        return Fate(state="pending", evidence=told | {"answer": "PendingDeletion"} | when)

    def _call(self, operation: str, field: str, **parameters: object) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError
        from botocore.parsers import ResponseParserError

        try:
            found = getattr(self._client, operation)(KeyId=self._arn, **parameters).get(field)
        except ClientError as failure:
            raise self._told(failure.response) from None
        except (NoCredentialsError, NoRegionError):
            raise KeyMissing(f"there are no credentials for {TITLE}: set them as for the AWS command line") from None
        except (BotoCoreError, ResponseParserError) as failure:
            why = type(failure).__name__
            raise StorageError(f"{TITLE} can't be used now ({why}): run again when it answers") from None
        if not isinstance(found, bytes):
            raise StorageError(f"{TITLE} can't be used now (an answer without {field})")
        return found

    def _told(self, response: Mapping[str, object]) -> KeyMissing | StorageError | VaultError:
        """An error of ours for one of the service's; of its text only the code is read."""
        error, about = response.get("Error"), response.get("ResponseMetadata")
        code = str(error.get("Code", "")) if isinstance(error, dict) else ""
        status = about.get("HTTPStatusCode", 0) if isinstance(about, dict) else 0
        if code in _NOT_OPENED:
            return VaultError(f"{self.id} does not open this: another key, another context, or altered")
        if code in _BUSY or status >= _FAILED:
            return StorageError(f"{TITLE} can't be used now (status {status}): run again when it answers")
        code = code if re.fullmatch("[A-Za-z]{1,60}", code) else f"status {status}"
        return KeyMissing(
            f"{TITLE} does not let {self.id} be used ({code}): check that it is enabled and not scheduled for "
            "deletion, and that this identity may kms:Encrypt and kms:Decrypt with it"
        )


def opened(arn: str, *, endpoint: str | None = None) -> AwsKey:
    """The key behind an ARN. Credentials are found as boto3 finds them.

    Raises:
        InputError: no key ARN (an alias could be pointed at another key). KeyMissing: boto3 is not installed.
    """
    match = ARN.fullmatch(arn)
    if match is None:
        raise InputError("aws-kms:// names a key by its ARN: aws-kms://arn:aws:kms:REGION:ACCOUNT:key/ID, no alias")
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise KeyMissing("AWS KMS needs boto3: pip install 'sfumato[aws]'") from None
    for name in ("boto3", "botocore", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)  # botocore's debug lines hold the plaintext
    settings = Config(
        connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"total_max_attempts": ATTEMPTS, "mode": "standard"}
    )
    try:
        client = boto3.session.Session().client("kms", region_name=match[1], endpoint_url=endpoint, config=settings)
    except BotoCoreError:
        raise KeyMissing(
            f"{TITLE}: the AWS settings here can't be read; check them with the AWS command line"
        ) from None
    return AwsKey(client, arn=arn)
