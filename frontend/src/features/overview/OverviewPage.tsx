/** What waits for a person first, then what runs, then how the fleet is. */
import { useQueryClient } from "@tanstack/react-query";
import { CircleAlert, CircleCheck, DatabaseBackup, Rocket, ShieldAlert, ShieldCheck, ShieldQuestion, Snail, Undo2, type LucideIcon } from "lucide-react";
import { Link } from "react-router";
import type { Campaign, Overview } from "@/api/types";
import { useMay } from "@/app/session";
import { ButtonLink } from "@/components/ui/button";
import { Card, CardHead } from "@/components/ui/card";
import { Version } from "@/components/ui/chips";
import { PageHead } from "@/components/ui/page";
import { Meter, StateBar } from "@/components/ui/state-bar";
import { Empty, Failure, Loading, Skeleton } from "@/components/ui/states";
import { cn } from "@/lib/cn";
import { count, devices, exactly, grouped, share } from "@/lib/format";
import { useNow } from "@/lib/live/use-live";
import { patchList } from "@/lib/live/patch";
import { finished, updatable } from "@/lib/status";
import { t } from "@/lib/texts.en";
import { LiveBadge, LostBanner } from "../campaigns/parts/live-badge";
import { Failures } from "../campaigns/parts/side-cards";
import { MOOD } from "../campaigns/parts/verdict-card";
import { campaignUrl, useListStream } from "../campaigns/queries";
import { verdict } from "../campaigns/verdict";
import { useOverview } from "./queries";

export default function OverviewPage() {
  const overview = useOverview();
  const client = useQueryClient();
  const connection = useListStream(() => undefined, (changes) => {
    const known = client.getQueryData<Overview>(["overview"]);
    if (!known) return;
    const { campaigns, unknown } = patchList(known.running, changes);
    client.setQueryData<Overview>(["overview"], { ...known, running: campaigns });
    if (unknown.length > 0 || campaigns.some(({ status }) => status !== "RUNNING")) void client.invalidateQueries({ queryKey: ["overview"] }, { cancelRefetch: false });
  });
  return (
    <>
      <PageHead title={t.overview.title} aside={<LiveBadge connection={connection} />} />
      <LostBanner connection={connection} />
      {overview.data ? <Body overview={overview.data} /> : overview.isError ? <Failure error={overview.error} retry={() => void overview.refetch()} /> : <Waiting />}
    </>
  );
}

function Body({ overview }: { overview: Overview }) {
  const failed = overview.failures.reduce((n, failure) => n + failure.devices, 0);
  return (
    <div className="space-y-5">
      <div className="grid grid-cols-2 gap-3 sm:gap-5 xl:grid-cols-4">
        <Figure name={t.overview.devices} value={count(overview.devices_total)} to="/devices" />
        <Figure
          name={t.overview.heard}
          value={count(overview.heard_last_hour)}
          note={overview.devices_total > 0 ? t.overview.heardShare(overview.heard_last_hour / overview.devices_total) : undefined}
        />
        <Figure name={t.overview.runningNow} value={count(overview.running.length)} to="/ota/campaigns?status=RUNNING" />
        <Figure name={t.overview.failed24} value={count(failed)} bad={failed > 0} />
      </div>
      <WaitsForYou waiting={overview.waiting} />
      <div className="grid grid-cols-1 items-start gap-5 xl:grid-cols-[minmax(0,1.6fr)_minmax(0,1fr)]">
        <div className="space-y-5">
          <Running running={overview.running} />
          <Failures title={t.overview.failures} none={t.overview.noFailures} total={t.overview.attempts} reasons={overview.failures} />
        </div>
        <Versions versions={overview.versions} />
      </div>
    </div>
  );
}

function Figure({ name, value, note, to, bad }: { name: string; value: string; note?: string; to?: string; bad?: boolean }) {
  return (
    <Card className="relative p-4 sm:p-5">
      <p className="text-xs text-ink-2">{to ? <Link to={to} className="rounded after:absolute after:inset-0 after:rounded-xl">{name}</Link> : name}</p>
      <p className={cn("mt-1 text-2xl font-semibold tracking-tight", bad && "text-failed-text")}>{value}</p>
      {note && <p className="mt-0.5 text-xs text-ink-3">{note}</p>}
    </Card>
  );
}

const WHY: Record<Overview["waiting"][number]["why"], LucideIcon> = {
  approval: ShieldQuestion,
  gate_stuck: ShieldQuestion,
  gate_failed: ShieldAlert,
  gate_passed: ShieldCheck,
  aborted: CircleAlert,
  firmware_withdrawn: Undo2,
  restored: DatabaseBackup,
  slow: Snail,
};

function WaitsForYou({ waiting }: { waiting: Overview["waiting"] }) {
  if (waiting.length === 0) {
    return (
      <p className="flex items-center gap-2.5 rounded-xl border border-line bg-card px-4 py-3.5 text-[13px] text-ink-2 sm:px-5">
        <CircleCheck aria-hidden className="size-4 text-success-text" /> {t.overview.nothingWaits}
      </p>
    );
  }
  return (
    <Card className="overflow-hidden">
      <div className="px-4 py-4 sm:px-5"><CardHead title={t.overview.waiting} aside={count(waiting.length)} /></div>
      <ul>
        {waiting.map((item) => {
          const Icon = WHY[item.why];
          const calm = item.why === "approval" || item.why === "gate_stuck" || item.why === "gate_passed";
          return (
            <li key={`${item.campaign_id}${item.why}`} className="relative flex items-center gap-3.5 border-t border-line px-4 py-3 transition-colors hover:bg-sunken sm:px-5">
              <span className={cn("grid size-8 shrink-0 place-items-center rounded-lg", calm ? "bg-flight-tint text-flight-text" : "bg-failed-tint text-failed-text")}><Icon aria-hidden className="size-4" /></span>
              <span className="min-w-0 flex-1 text-[13px]">
                <Link to={campaignUrl(item.campaign_id)} className="rounded font-medium after:absolute after:inset-0">{item.name}</Link>
                <span className="block text-xs text-ink-2">{t.overview.why[item.why]}. {item.detail ? t.sentence(item.why === "slow" ? grouped(item.detail) : item.detail) : t.overview.whySays[item.why]}</span>
              </span>
              <time dateTime={item.since} title={exactly(item.since)} className="shrink-0 text-xs text-ink-3 max-sm:hidden">{t.overview.since(item.since)}</time>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}

function Running({ running }: { running: Campaign[] }) {
  const now = useNow();
  const may = useMay();
  return (
    <Card className="overflow-hidden">
      <div className="px-4 py-4 sm:px-5"><CardHead title={t.overview.running} /></div>
      {running.length === 0 ? (
        <div className="border-t border-line">
          <Empty icon={Rocket} title={t.overview.nothingRuns} action={may.operate && <ButtonLink kind="primary" to="/ota/campaigns/new">{t.campaigns.create}</ButtonLink>}>{t.overview.nothingRunsHint}</Empty>
        </div>
      ) : (
        <ul>{running.map((campaign) => <RunningRow key={campaign.id} campaign={campaign} now={now} />)}</ul>
      )}
    </Card>
  );
}

function RunningRow({ campaign, now }: { campaign: Campaign; now: number }) {
  const { mood, title, says } = verdict(campaign, now);
  const { icon: Icon, color } = MOOD[mood];
  const all = updatable(campaign.status_breakdown);
  return (
    <li className="relative border-t border-line px-4 py-4 transition-colors hover:bg-sunken sm:px-5">
      <div className="flex items-baseline justify-between gap-4">
        <p className="flex min-w-0 flex-wrap items-center gap-x-2.5 gap-y-1">
          <Link to={campaignUrl(campaign.id)} className="min-w-0 truncate rounded text-sm font-semibold after:absolute after:inset-0">{campaign.name}</Link>
          <Version withdrawn={campaign.firmware_withdrawal}>{campaign.firmware_version}</Version>
        </p>
        <p className="text-[17px] font-semibold">{share(all ? finished(campaign.status_breakdown) / all : 1)}</p>
      </div>
      <StateBar counts={campaign.status_breakdown} className="my-2.5 h-2" />
      <p className="flex items-start gap-2 text-xs text-ink-2">
        <Icon aria-hidden className={cn("mt-0.5 size-3.5 shrink-0", color)} />
        <span><span className="font-medium text-ink">{title}.</span> {says}</span>
      </p>
    </li>
  );
}

/** One bar per device type, its versions largest first. */
function Versions({ versions }: { versions: Overview["versions"] }) {
  const types = new Map<string, Overview["versions"]>();
  for (const version of versions) types.set(version.device_type, [...(types.get(version.device_type) ?? []), version]);
  return (
    <Card className="p-4 sm:p-5">
      <CardHead title={t.overview.versions} />
      {types.size === 0 && <p className="mt-3 text-[13px] text-ink-3">{t.overview.noVersions}</p>}
      <div className="mt-4 space-y-5">{[...types].map(([type, each]) => <TypeVersions key={type} type={type} versions={each} />)}</div>
    </Card>
  );
}

const MOST_VERSIONS = 5;

function TypeVersions({ type, versions }: { type: string; versions: Overview["versions"] }) {
  const all = versions.reduce((n, version) => n + version.devices, 0);
  return (
    <div>
      <p className="flex justify-between text-[13px] font-medium">{type} <span className="font-normal text-ink-3">{devices(all)}</span></p>
      <ul className="mt-2 space-y-2">
        {versions.slice(0, MOST_VERSIONS).map((version) => (
          <li key={version.version ?? ""} className="grid grid-cols-[minmax(0,9rem)_minmax(0,1fr)_auto] items-center gap-3 text-xs">
            <span className="truncate font-mono text-ink-2" title={version.version ?? undefined}>{version.version ?? t.overview.unknownVersion}</span>
            <Meter part={version.devices / all} color="var(--ink-3)" />
            <span className="min-w-12 text-right text-ink-2">{count(version.devices)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Waiting() {
  return (
    <Loading>
      <div className="grid grid-cols-2 gap-3 sm:gap-5 xl:grid-cols-4">{Array.from({ length: 4 }, (_, place) => <Skeleton key={place} className="h-24" />)}</div>
      <Skeleton className="h-12" />
      <Skeleton className="h-80" />
    </Loading>
  );
}

