"""The deployment examples: what they hide, what they may write, and that the configuration in the manual is one."""

from __future__ import annotations

import re
from pathlib import Path

from sfumato.model.layout import Layout
from sfumato.serve import oidc_config

ROOT = Path(__file__).parents[2]
UNIT = (ROOT / "examples" / "deploy" / "sfumato-serve.service").read_text()
LAYOUT = Layout(data=Path("/var/lib/sfumato"))


def setting(name: str) -> list[str]:
    (found,) = re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)
    return [word.removeprefix("-") for word in found.split()]


def test_the_unit_hides_every_folder_that_holds_what_is_private():
    assert {*setting("InaccessiblePaths")} == {str(path) for path in (LAYOUT.raw, LAYOUT.derived, LAYOUT.keystore)}


def test_the_unit_may_write_the_audit_log_and_the_inbox_alone():
    assert setting("ReadOnlyPaths") == [str(LAYOUT.data)]
    assert setting("ReadWritePaths") == [str(LAYOUT.audit), str(LAYOUT.data / "inbox")]
    assert setting("ProtectSystem") == ["strict"]


def test_the_workers_unit_has_no_network_and_sees_no_raw_text():
    unit = (ROOT / "examples" / "deploy" / "sfumato-worker.service").read_text()
    assert "PrivateNetwork=yes" in unit
    assert f"InaccessiblePaths=-{LAYOUT.raw} -{LAYOUT.data / 'inbox'}" in unit
    assert "LimitCORE=0" in unit


def test_the_unit_leaves_the_server_longer_to_stop_than_it_takes():
    from sfumato.serve.server import GRACE_SECONDS

    assert int(setting("TimeoutStopSec")[0]) > GRACE_SECONDS


def test_the_identity_provider_in_the_manual_is_a_configuration(tmp_path):
    manual = (ROOT / "docs" / "operations.md").read_text()
    (block,) = [block for block in re.findall(r"```yaml\n(.*?)```", manual, re.DOTALL) if block.startswith("issuer:")]
    (tmp_path / "oidc.yaml").write_text(block)
    assert oidc_config.load(tmp_path / "oidc.yaml").roles == {
        "sfumato-analysts": "analyst",
        "sfumato-auditors": "auditor",
    }
