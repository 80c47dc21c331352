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

export const heldBackInAll = (campaign: Campaign) => heldBack(campaign).reduce((all, { n }) => all + n, 0);

/** Devices that wait in the stages that are open; those of later stages wait for a gate. */
export const waitingUpToNow = ({ stages, current_stage }: Campaign) => stages.slice(0, current_stage + 1).reduce((n, stage) => n + (stage.status_breakdown.PENDING ?? 0), 0);

/** Whether devices wait, and none of them can be sent now. */
export function nothingToSend(campaign: Campaign): boolean {
  const held = heldBackInAll(campaign);
  return held > 0 && held >= waitingUpToNow(campaign);
}

/** The server's forecast is of pace alone: nobody knows when a device that is held back comes. */
export const foreseeableEnd = (campaign: Campaign): string | null => (heldBackInAll(campaign) > 0 ? null : campaign.eta);
