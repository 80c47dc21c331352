/** Takes one device out of a campaign, where its state allows that; the server judges. */
import { CircleSlash } from "lucide-react";
import { useState } from "react";
import type { Campaign, DeviceRow } from "@/api/types";
import { useMay } from "@/app/session";
import { Button } from "@/components/ui/button";
import { t } from "@/lib/texts.en";
import { useSkip } from "../queries";
import { skippable } from "../rows";
import { ReasonDialog } from "./reason-dialog";

export function SkipDevice({ campaign, row }: { campaign: Campaign; row: DeviceRow }) {
  const may = useMay();
  const skip = useSkip(campaign, row.device_id);
  const [asking, setAsking] = useState(false);
  const says = skippable(row.status, campaign.status);
  if (!may.operate || !says) return null;
  return (
    <>
      <Button size="small" onClick={() => setAsking(true)}>
        <CircleSlash aria-hidden /> {t.skip.open}
      </Button>
      <ReasonDialog open={asking} onOpenChange={setAsking} title={t.skip.title(row.device_id)} says={t.skip[says]} go={t.skip.open} busy={skip.isPending} onGo={(reason) => skip.mutate(reason, { onSettled: () => setAsking(false) })} />
    </>
  );
}
