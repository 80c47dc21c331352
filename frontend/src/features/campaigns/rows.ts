import type { DeviceRow } from "@/api/types";

/** Pages are read one after the other, and a device that changes its state meanwhile is in two of them: its later row counts. */
export function eachOnce<Row extends Pick<DeviceRow, "device_id">>(rows: Row[]): Row[] {
  return [...new Map(rows.map((row) => [row.device_id, row])).values()];
}
