/** What a device's row in a campaign tells: its moments in order, its last failure, and the attempts before. Pure. */
import type { DeviceRow, DeviceUpdate } from "@/api/types";
import { LOOK } from "@/lib/status";
import { t } from "@/lib/texts.en";

export interface Step {
  at: string;
  word: string;
  due?: boolean;
}

/** The row's moments in the order in which they happened. */
export function steps(row: DeviceRow): Step[] {
  const { steps: words } = t.sheet;
  const all: [string | null, string, boolean?][] = [
    [row.queued_at, words.queued],
    [row.dispatched_at, words.dispatched],
    [row.started_at, words.started],
    [row.completed_at ? null : row.last_report_at, words.reported],
    [row.completed_at, `${words.completed}: ${LOOK[row.status].word}`],
    [row.status === "PENDING" && row.wait ? row.next_attempt_at : null, words.next, true],
  ];
  return all.flatMap(([at, word, due]) => (at ? [{ at, word, ...(due && { due }) }] : [])).toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

/** The failed attempts before the present one, newest first. */
export const earlier = (row: DeviceUpdate) => row.failed_attempts.filter(({ attempt }) => attempt < row.attempt);

/** Why the device stands still now; a failure of an attempt before is told among those. */
export function presentError(row: DeviceUpdate): { code: string; message: string | null } | null {
  if (!row.error_code || (row.status !== "FAILED" && row.status !== "PENDING")) return null;
  const [last] = row.failed_attempts;
  const told = last && last.attempt < row.attempt && last.error_code === row.error_code && last.error_message === row.error_message;
  return told ? null : { code: row.error_code, message: row.error_message };
}
