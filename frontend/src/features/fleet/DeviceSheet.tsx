/** One device: what it runs, when it was heard, and every update with all that happened. */
import { useState } from "react";
import { Link } from "react-router";
import type { DeviceDetail } from "@/api/types";
import { Version } from "@/components/ui/chips";
import { Sheet } from "@/components/ui/dialog";
import { Failure, Loading, Skeleton } from "@/components/ui/states";
import { ago, exactly, moment } from "@/lib/format";
import { useNow } from "@/lib/live/use-live";
import { t } from "@/lib/texts.en";
import { UpdateSteps } from "../campaigns/parts/update-steps";
import { useDevice } from "./queries";

export function DeviceSheet({ id, close }: { id: string | null; close: () => void }) {
  const [shown, setShown] = useState(id);
  if (id && id !== shown) setShown(id);
  const device = useDevice(shown);
  return (
    <Sheet open={id !== null} onOpenChange={(on) => !on && close()} title={shown ?? ""} mono hint={device.data?.device_type}>
      {device.isError ? <Failure error={device.error} retry={() => void device.refetch()} /> : device.data ? <Detail device={device.data} /> : <Loading><Skeleton className="h-32" /></Loading>}
    </Sheet>
  );
}

function Detail({ device }: { device: DeviceDetail }) {
  const now = useNow(5000);
  const attributes = Object.entries(device.attributes);
  return (
    <>
      <dl className="grid grid-cols-[7.5rem_minmax(0,1fr)] gap-x-4 gap-y-3 text-[13px]">
        <dt className="text-ink-3">{t.sheet.version}</dt>
        <dd><Version>{device.current_version}</Version></dd>
        <dt className="text-ink-3">{t.sheet.heard}</dt>
        <dd title={exactly(device.last_seen_at)}>{device.last_seen_at ? ago(device.last_seen_at, now) : t.sheet.never}</dd>
        <dt className="text-ink-3">{t.sheet.registered}</dt>
        <dd title={exactly(device.created_at)}>{moment(device.created_at)}</dd>
        {attributes.map(([name, value]) => (
          <div key={name} className="contents">
            <dt className="truncate text-ink-3">{name}</dt>
            <dd className="break-words">{String(value)}</dd>
          </div>
        ))}
      </dl>
      <h3 className="mt-7 mb-3 text-sm font-semibold">{t.sheet.updates}</h3>
      {device.updates.length === 0 && <p className="text-[13px] text-ink-3">{t.sheet.noUpdates}</p>}
      <ol className="space-y-4">
        {device.updates.map((update) => (
          <li key={update.campaign_id} className="rounded-xl border border-line p-4">
            <p className="mb-3 flex items-center justify-between gap-3 text-[13px]">
              <Version>{update.version}</Version>
              <Link to={`/ota/campaigns/${update.campaign_id}?device=${encodeURIComponent(device.device_id)}`} className="rounded text-accent hover:underline">
                {t.campaigns.name} {update.campaign_id}
              </Link>
            </p>
            <UpdateSteps row={update} />
          </li>
        ))}
      </ol>
    </>
  );
}
