"""What campaign-svc refuses, with the stable code of each."""

from collections.abc import Collection, Sequence

from pulse.runtime.errors import Conflict, FieldError, Invalid, LineError, NotFound

NAMED_ERRORS = 100
"""At most so many fields are named in one refusal."""


class CampaignNotFound(NotFound):
    """There is no such campaign."""

    code = "campaign_not_found"


class StageNotFound(NotFound):
    """The campaign has no stage with this number."""

    code = "stage_not_found"


class DeviceNotFound(NotFound):
    """There is no such device."""

    code = "device_not_found"


class GroupNotFound(NotFound):
    """There is no such group."""

    code = "group_not_found"


class WrongState(Conflict):
    """The campaign or stage is in a state in which this is not possible; `detail` names those in which it is."""

    code = "wrong_state"


class FirmwareWithdrawn(Conflict):
    """The firmware version was withdrawn."""

    code = "firmware_withdrawn"


class DeviceExists(Conflict):
    """A device with this id exists already."""

    code = "device_exists"


class DeviceActive(Conflict):
    """A campaign that has not finished with the device holds it."""

    code = "device_active"


class GroupExists(Conflict):
    """A group with this id exists already."""

    code = "group_exists"


class GroupInUse(Conflict):
    """A campaign that aims at the group is not finished."""

    code = "group_in_use"


class UnknownFirmware(Invalid):
    """The firmware version that the body names is not there."""

    code = "unknown_firmware"


class UnknownGroup(Invalid):
    """The group that the body names is not there."""

    code = "unknown_group"


class EmptyGroup(Invalid):
    """The group has no devices."""

    code = "empty_group"


class UnknownCampaign(Invalid):
    """The campaign that the request names is not there, or another tenant's."""

    code = "unknown_campaign"


class NotEnded(Invalid):
    """The campaign that the request names goes on: its waiting devices still have their turn."""

    code = "not_ended"


class EmptyTarget(Invalid):
    """No device is aimed at: none of the other campaign has such a status and is still registered."""

    code = "empty_target"


class UnknownDevice(Invalid):
    """A device that the body names is not there; `errors` names the first 100."""

    code = "unknown_device"


class DuplicateDevice(Invalid):
    """A device is in the request more than once; `errors` names the first 100."""

    code = "duplicate_device"


class InvalidCsv(Invalid):
    """The file has errors, and nothing was imported: `errors` names the first 1,000, `errors_total` counts all."""

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
