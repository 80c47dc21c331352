/** Devices that are held back: how many, and for what. Pure. */
import type { Campaign, DeviceRow } from "@/api/types";

export type Wait = NonNullable<DeviceRow["wait"]>;

export const WAITS: Wait[] = ["offline", "refused", "retry"];

/** Nothing for a campaign that sends no more, nor from a server that is too old to count them. */
export function heldBack(campaign: Campaign): { wait: Wait; n: number }[] {
  if (campaign.status !== "RUNNING" && campaign.status !== "PAUSED") return [];
  const counts: Partial<Campaign["waiting"]> = campaign.waiting ?? {};
  return WAITS.map((wait) => ({ wait, n: counts[wait] ?? 0 })).filter(({ n }) => n > 0);
}
