/** In what order a campaign's rows are asked for, and how pages of them become one list. Pure. */
import type { CampaignStatus, DeviceRow } from "@/api/types";
import { AT_WORK, WORST_FIRST, type Counts, type Status } from "@/lib/status";

/** The states to ask for, one after the other ("": all at once). What a search or a wait narrows is looked for in all at once:
 *  state by state, the server would look through a million devices eight times to find one. */
export const statesToAsk = (only: Status | "", narrowedBy: string | null, counts: Counts): (Status | "")[] => (only || narrowedBy ? [only] : WORST_FIRST.filter((status) => counts[status]));

/** Pages are read one after the other, and a device that changes its state meanwhile is in two of them: its later row counts. */
export function eachOnce<Row extends Pick<DeviceRow, "device_id">>(rows: Row[]): Row[] {
  return [...new Map(rows.map((row) => [row.device_id, row])).values()];
}

/** What to say before a device is taken out of its campaign; null: the server would refuse it. */
export function skippable(status: Status, campaign: CampaignStatus): "waiting" | "queued" | "atWork" | null {
  if (status === "PENDING") return "waiting";
  if (status === "QUEUED") return "queued";
  return AT_WORK.includes(status) && campaign === "ABORTED" ? "atWork" : null;
}
