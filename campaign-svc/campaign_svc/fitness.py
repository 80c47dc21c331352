"""Whether a device fits a campaign's firmware, as its registration says it now: said once, for all SQL that asks."""


def unfit(device_type: str, version: str) -> str:
    """An SQL expression on a row `d` of devices: why the campaign has nothing to do for it, or NULL where it has.

    `device_type` (its value NULL: any) and `version` are SQL expressions of the campaign's firmware.
    """
    return (
        f"CASE WHEN d.device_type <> {device_type} THEN 'wrong_device_type'"
        f" WHEN d.current_version = {version} THEN 'already_on_version' END"
    )


UNFIT = "('already_on_version', 'wrong_device_type')"
"""All that `unfit` says, as the index of such rows has it."""
