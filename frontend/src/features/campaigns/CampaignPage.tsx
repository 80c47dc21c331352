/** One campaign, live: first a sentence, then a picture, then numbers, then rows. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { api, body } from "@/api/client";
import type { Campaign } from "@/api/types";
import { BurnUp } from "@/components/charts/burn-up";
import { Card, CardHead } from "@/components/ui/card";
import { Version } from "@/components/ui/chips";
import { Sheet } from "@/components/ui/dialog";
import { Facts, PageHead } from "@/components/ui/page";
import { Failure, Loading, Skeleton } from "@/components/ui/states";
import { count } from "@/lib/format";
import { useNow } from "@/lib/live/use-live";
import { ORDER, updatable, type Status } from "@/lib/status";
import { t } from "@/lib/texts.en";
import { isOver, moments, stageMarks } from "./burnup";
import { Announcer } from "./parts/announcer";
import { CampaignActions } from "./parts/actions";
import { DeviceTable } from "./parts/device-table";
import { LiveBadge, LostBanner } from "./parts/live-badge";
import { AbortGauge, Failures } from "./parts/side-cards";
import { SkipDevice } from "./parts/skip-device";
import { StageTrack } from "./parts/stage-track";
import { Target } from "./parts/target";
import { TimelineCard } from "./parts/timeline";
import { UpdateSteps } from "./parts/update-steps";
import { VerdictCard } from "./parts/verdict-card";
import { WaitingLine } from "./parts/waiting-line";
import { useCampaign, useCampaignStream, useHistory } from "./queries";
import { foreseeableEnd, WAITS } from "./waits";

const CRUMBS = [{ to: "/ota/campaigns", name: t.nav.campaigns }];

export default function CampaignPage() {
  const id = Number(useParams().id);
  const query = useCampaign(id);
  const connection = useCampaignStream(id);
  const campaign = query.data;
  if (!campaign) return query.isError ? <Unread error={query.error} retry={() => void query.refetch()} /> : <Waiting />;
  return (
    <>
      <PageHead
        crumbs={CRUMBS}
        title={campaign.name}
        aside={<LiveBadge connection={connection} />}
        under={<Under campaign={campaign} />}
        actions={<CampaignActions campaign={campaign} />}
      />
      <LostBanner connection={connection} />
      <Body campaign={campaign} />
      <Announcer campaign={campaign} connection={connection} />
    </>
  );
}

function Unread(failed: { error: unknown; retry: () => void }) {
  return (
    <Failure {...failed}>
      <Link to="/ota/campaigns" className="mt-4 rounded text-[13px] font-medium text-accent hover:underline">
        {t.campaigns.toList}
      </Link>
    </Failure>
  );
}

function Under({ campaign }: { campaign: Campaign }) {
  return (
    <Facts>
      {[
        <span key="what" className="inline-flex flex-wrap items-center gap-x-2">
          <Version withdrawn={campaign.firmware_withdrawal}>{campaign.firmware_version}</Version>
          <span className="text-ink-3">{t.campaign.to}</span>
          <Target campaign={campaign} />
        </span>,
        `${count(campaign.total_devices)} ${campaign.firmware_device_type ?? t.noDevices.replace("No ", "")}`,
        campaign.started_at ? t.campaign.startedBy(campaign.started_at, campaign.created_by) : t.campaign.createdBy(campaign.created_at, campaign.created_by),
      ]}
    </Facts>
  );
}

function Body({ campaign }: { campaign: Campaign }) {
  const now = useNow();
  const [address, setAddress] = useSearchParams();
  const only = ORDER.find((status) => status === address.get("state")) ?? "";
  const reason = address.get("reason");
  const wait = WAITS.find((one) => one === address.get("wait")) ?? null;
  const change = (values: Record<string, string | null>) =>
    setAddress(
      (before) => {
        const after = new URLSearchParams(before);
        for (const [name, value] of Object.entries(values)) {
          if (value) after.set(name, value);
          else after.delete(name);
        }
        return after;
      },
      { replace: true, preventScrollReset: true },
    );
  const filter = (state: Status | "", why: string | null) => change({ state, reason: why, wait: null });
  return (
    <div className="space-y-5">
      <VerdictCard campaign={campaign} now={now}>
        <WaitingLine campaign={campaign} chosen={wait} onChoose={(one) => change({ state: null, reason: null, wait: one })} />
      </VerdictCard>
      <StageTrack campaign={campaign} now={now} />
      <div className="grid grid-cols-1 items-start gap-5 xl:grid-cols-[minmax(0,2.15fr)_minmax(0,1fr)]">
        <Chart campaign={campaign} now={now} />
        <div className="space-y-5">
          <AbortGauge campaign={campaign} />
          <Failures reasons={campaign.reasons ?? []} chosen={reason} onChoose={(why) => filter("", why)} />
        </div>
      </div>
      <DeviceTable campaign={campaign} now={now} only={only} reason={reason} wait={wait} onFilter={filter} onOpen={(device) => change({ device })} />
      <TimelineCard campaign={campaign} />
      <RowSheet campaign={campaign} deviceId={address.get("device")} close={() => change({ device: null })} />
    </div>
  );
}

function Chart({ campaign, now }: { campaign: Campaign; now: number }) {
  const history = useHistory(campaign);
  const all = history.data ? moments(history.data, campaign, now) : [];
  const end = foreseeableEnd(campaign);
  const eta = end ? Date.parse(end) : null;
  return (
    <Card className="p-4 sm:p-5">
      <CardHead title={t.chart.title}>{t.chart.hint}</CardHead>
      {campaign.started_at === null ? (
        <p className="py-16 text-center text-[13px] text-ink-3">{t.chart.empty}</p>
      ) : history.isError && !history.data ? (
        <Failure error={history.error} retry={() => void history.refetch()} />
      ) : all.length < 2 ? (
        <Skeleton className="mt-4 h-96" />
      ) : (
        <BurnUp moments={all} marks={stageMarks(history.data!, campaign)} total={updatable(campaign.status_breakdown)} eta={eta} live={!isOver(campaign)} />
      )}
    </Card>
  );
}

function RowSheet({ campaign, deviceId, close }: { campaign: Campaign; deviceId: string | null; close: () => void }) {
  // What was shown last stays while the sheet goes out.
  const [shown, setShown] = useState(deviceId);
  if (deviceId && deviceId !== shown) setShown(deviceId);
  return (
    <Sheet open={deviceId !== null} onOpenChange={(open) => !open && close()} title={shown ?? ""} mono hint={t.sheet.inCampaign}>
      {shown && <RowDetail campaign={campaign} deviceId={shown} />}
    </Sheet>
  );
}

function RowDetail({ campaign, deviceId }: { campaign: Campaign; deviceId: string }) {
  const query = useQuery({
    queryKey: ["device", deviceId],
    queryFn: () => body(api.GET("/customer/devices/{device_id}", { params: { path: { device_id: deviceId } } })),
    refetchInterval: campaign.completed_at ? false : 3000,
  });
  if (query.isError) return <Failure error={query.error} retry={() => void query.refetch()} />;
  const row = query.data?.updates.find((update) => update.campaign_id === campaign.id);
  if (!query.data || !row) return <Loading><Skeleton className="h-24" /></Loading>;
  return (
    <>
      <UpdateSteps row={row} maxAttempts={campaign.max_attempts} paused={campaign.status === "PAUSED"} />
      <div className="mt-6 flex flex-wrap items-center justify-between gap-3">
        <Link to={`/devices/${encodeURIComponent(deviceId)}`} className="rounded text-[13px] font-medium text-accent hover:underline">
          {t.sheet.openDevice}
        </Link>
        <SkipDevice campaign={campaign} row={row} />
      </div>
    </>
  );
}

function Waiting() {
  return (
    <Loading>
      <Skeleton className="h-20 w-96 max-w-full" />
      <Skeleton className="h-44" />
      <Skeleton className="h-24" />
      <div className="grid gap-5 xl:grid-cols-[minmax(0,2.15fr)_minmax(0,1fr)]">
        <Skeleton className="h-130" />
        <Skeleton className="h-60" />
      </div>
    </Loading>
  );
}
