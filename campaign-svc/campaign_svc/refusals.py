"""What campaign-svc refuses, with the stable code of each."""

from collections.abc import Collection, Sequence

from pulse.runtime.errors import Conflict, FieldError, Invalid, LineError, NotFound

NAMED_ERRORS = 100
"""At most so many fields are named in one refusal."""


class CampaignNotFound(NotFound):
    code = "campaign_not_found"


class StageNotFound(NotFound):
    code = "stage_not_found"


class DeviceNotFound(NotFound):
    code = "device_not_found"


class GroupNotFound(NotFound):
    code = "group_not_found"


class WrongState(Conflict):
    code = "wrong_state"


class FirmwareWithdrawn(Conflict):
    code = "firmware_withdrawn"


class DeviceExists(Conflict):
    code = "device_exists"


class DeviceActive(Conflict):
    code = "device_active"


class GroupExists(Conflict):
    code = "group_exists"


class GroupInUse(Conflict):
    code = "group_in_use"


class UnknownFirmware(Invalid):
    code = "unknown_firmware"


class UnknownGroup(Invalid):
    code = "unknown_group"


class EmptyGroup(Invalid):
    code = "empty_group"


class UnknownCampaign(Invalid):
    code = "unknown_campaign"


class NotEnded(Invalid):
    code = "not_ended"


class EmptyTarget(Invalid):
    code = "empty_target"


class UnknownDevice(Invalid):
    code = "unknown_device"


class DuplicateDevice(Invalid):
    code = "duplicate_device"


class InvalidCsv(Invalid):
    """`errors` names the first wrong lines, `total` counts them all."""

    code = "invalid_csv"

    def __init__(self, errors: Sequence[LineError], total: int) -> None:
        super().__init__(f"{total} errors in the file; nothing was imported", errors=tuple(errors))
        self.extensions = {"errors_total": total}


def unknown_devices(device_ids: Sequence[str], unknown: Collection[str]) -> UnknownDevice:
    """The refusal of `device_ids`, of which some are `unknown`, naming their places."""
    errors = [
        FieldError(f"device_ids.{n}", UnknownDevice.code, f"there is no device {device_id}")
        for n, device_id in enumerate(device_ids)
        if device_id in unknown
    ]
    return UnknownDevice(f"{len(unknown)} devices are not known", errors=tuple(errors[:NAMED_ERRORS]))
