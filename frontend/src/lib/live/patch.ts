/** What an event of the server changes in what the pages know. Pure. */
import type { Campaign, CampaignSummary } from "@/api/types";

/** An answer that was under way while a control change was told must not take the page back. */
export const newer = (known: Campaign | undefined, next: Campaign): Campaign => (known && next.epoch < known.epoch ? known : next);

/** The list with its known campaigns brought up to date, in the same order; unknown ones are left to be shown as new. */
export function patchList(known: Campaign[], changes: CampaignSummary[]): { campaigns: Campaign[]; unknown: number[] } {
  const byId = new Map(changes.map((change) => [change.id, change]));
  const campaigns = known.map((campaign) => {
    const change = byId.get(campaign.id);
    byId.delete(campaign.id);
    return change ? { ...campaign, ...change } : campaign;
  });
  return { campaigns, unknown: [...byId.keys()] };
}
