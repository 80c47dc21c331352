/** Whom a campaign is for: a group, or the devices that another campaign has not updated. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, body } from "@/api/client";
import type { Campaign } from "@/api/types";
import { t } from "@/lib/texts.en";
import { campaignUrl, useCampaign } from "../queries";

const LINK = "rounded font-medium text-ink hover:underline";

/** Its name in a list, without a question to the server. */
export const targetName = ({ target_group_id, target_of }: Pick<Campaign, "target_group_id" | "target_of">) => (target_of ? t.campaign.leftBy(t.campaign.leftByNumber(target_of.campaign_id)) : (target_group_id ?? ""));

export function Target({ campaign }: { campaign: Campaign }) {
  if (campaign.target_of) return <LeftBy id={campaign.target_of.campaign_id} />;
  return campaign.target_group_id === null ? null : <Group id={campaign.target_group_id} />;
}

function Group({ id }: { id: string }) {
  const group = useQuery({
    queryKey: ["group", id],
    queryFn: () => body(api.GET("/customer/device-groups/{group_id}", { params: { path: { group_id: id } } })),
    retry: false,
  });
  return (
    <Link to={`/groups/${encodeURIComponent(id)}`} className={LINK}>
      {group.data?.name ?? id}
    </Link>
  );
}

/** The other campaign by its name; by its number once it is deleted. */
export function LeftBy({ id }: { id: number }) {
  const campaign = useCampaign(id);
  return (
    <Link to={campaignUrl(id)} className={LINK}>
      {t.campaign.leftBy(campaign.data?.name ?? t.campaign.leftByNumber(id))}
    </Link>
  );
}
