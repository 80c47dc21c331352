/** All campaigns: state, progress, rate now; rows never jump, new ones are announced. */
import { EllipsisVertical, Eye, Pause, Play, Plus, Repeat, Rocket, SearchX, CircleX } from "lucide-react";
import { useState } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import { useQueryClient } from "@tanstack/react-query";
import type { Campaign } from "@/api/types";
import { useMay } from "@/app/session";
import { Button, ButtonLink } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { CampaignState, Version } from "@/components/ui/chips";
import { Filters } from "@/components/ui/filters";
import { SearchInput } from "@/components/ui/form";
import { Menu, MenuItem } from "@/components/ui/menu";
import { PageHead } from "@/components/ui/page";
import { StateBar } from "@/components/ui/state-bar";
import { Cell, Head, HeadCell, Row, Table, WHOLE_ROW } from "@/components/ui/table";
import { Empty, Failure, Loading, Skeleton } from "@/components/ui/states";
import { cn } from "@/lib/cn";
import { count, DASH, exactly, moment } from "@/lib/format";
import { useNow, useRested } from "@/lib/live/use-live";
import { t } from "@/lib/texts.en";
import { AbortDialog, allowed } from "./parts/actions";
import { LiveBadge, LostBanner } from "./parts/live-badge";
import { targetName } from "./parts/target";
import { verdict } from "./verdict";
import { foreseeableEnd } from "./waits";
import { againUrl, campaignUrl, SHOWN, useCampaignCounts, useCampaigns, useControl, useListStream, type Shown } from "./queries";

const label = (shown: Shown) => (shown === "" ? t.campaigns.all : shown === "ATTENTION" ? t.campaigns.attention : t.campaignStatus[shown]);

export default function CampaignsPage() {
  const [address, setAddress] = useSearchParams();
  const shown = SHOWN.find((one) => one === address.get("status")) ?? "";
  const [search, setSearch] = useState(address.get("search") ?? "");
  const rested = useRested(search.trim());
  const [fresh, setFresh] = useState<Set<number>>(new Set());
  const counts = useCampaignCounts();
  const list = useCampaigns({ search: rested, shown });
  // The stream also tells of campaigns that this list has further down, or has not loaded yet.
  const newest = list.data?.pages[0]?.campaigns[0]?.id;
  const unseen = newest === undefined ? 0 : [...fresh].filter((id) => id > newest).length;
  const client = useQueryClient();
  const may = useMay();
  const connection = useListStream((ids) => setFresh((before) => (ids.every((id) => before.has(id)) ? before : new Set([...before, ...ids]))));
  const keep = (next: { search?: string; status?: string }) => {
    const values = { search: rested, status: shown, ...next };
    setAddress(new URLSearchParams(Object.entries(values).filter(([, value]) => value)), { replace: true });
  };
  const show = () => {
    setFresh(new Set());
    void client.invalidateQueries({ queryKey: ["campaigns"] });
  };
  const filters = SHOWN.filter((one) => one === shown || one === "" || counts.data?.[one]).map((one) => ({ value: one, label: label(one), total: counts.data?.[one] }));
  const create = (
    <ButtonLink kind="primary" to="/ota/campaigns/new">
      <Plus aria-hidden /> {t.campaigns.create}
    </ButtonLink>
  );
  return (
    <>
      <PageHead title={t.campaigns.title} under={t.campaigns.under} aside={<LiveBadge connection={connection} />} actions={may.operate && create} />
      <LostBanner connection={connection} />
      <div className="mb-4 flex flex-wrap items-center gap-3">
        <Filters label={t.campaigns.filters} filters={filters} value={shown} onChange={(next) => keep({ status: next })} />
        {unseen > 0 && !search && !shown && (
          <Button size="small" kind="primary" onClick={show}>
            {t.campaigns.fresh(unseen)}
          </Button>
        )}
        <SearchInput
          label={t.campaigns.search}
          value={search}
          onChange={(event) => {
            setSearch(event.target.value);
            keep({ search: event.target.value.trim() });
          }}
          className="ml-auto w-full sm:w-64"
        />
      </div>
      <Card className="overflow-hidden">
        <List list={list} filtered={Boolean(rested || shown)} create={may.operate && create} clear={() => (setSearch(""), setAddress({}, { replace: true }))} />
      </Card>
    </>
  );
}

interface ListProps {
  list: ReturnType<typeof useCampaigns>;
  filtered: boolean;
  create: React.ReactNode;
  clear: () => void;
}

function List({ list, filtered, create, clear }: ListProps) {
  if (list.isPending) {
    return (
      <div className="p-5">
        <Loading>{Array.from({ length: 5 }, (_, place) => <Skeleton key={place} className="h-9" />)}</Loading>
      </div>
    );
  }
  if (list.isError) return <Failure error={list.error} retry={() => void list.refetch()} />;
  const all = list.data.pages.flatMap((page) => page.campaigns);
  if (all.length === 0) {
    return filtered ? (
      <Empty icon={SearchX} title={t.campaigns.noMatch} action={<Button onClick={clear}>{t.clearFilters}</Button>}>
        {t.campaigns.noMatchHint}
      </Empty>
    ) : (
      <Empty icon={Rocket} title={t.campaigns.empty} action={create}>
        {t.campaigns.emptyHint}
      </Empty>
    );
  }
  return (
    <>
      <Campaigns all={all} />
      {list.hasNextPage && (
        <div className="flex justify-center border-t border-line p-3">
          <Button disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            {t.showMore}
          </Button>
        </div>
      )}
    </>
  );
}

function Campaigns({ all }: { all: Campaign[] }) {
  const may = useMay();
  return (
    <Table>
      <Head>
        <HeadCell>{t.campaigns.name}</HeadCell>
        <HeadCell className="max-sm:hidden">{t.campaigns.state}</HeadCell>
        <HeadCell className="w-1/4 max-md:hidden">{t.campaigns.progress}</HeadCell>
        <HeadCell className="text-right max-lg:hidden">{t.campaigns.updated}</HeadCell>
        <HeadCell className="text-right max-lg:hidden">{t.campaigns.failed}</HeadCell>
        <HeadCell className="text-right max-xl:hidden">{t.campaigns.rate}</HeadCell>
        <HeadCell className="text-right max-lg:hidden">{t.campaigns.finishes}</HeadCell>
        {may.operate && (
          <HeadCell>
            <span className="sr-only">{t.palette.actions}</span>
          </HeadCell>
        )}
      </Head>
      <tbody>
        {all.map((campaign) => (
          <CampaignRow key={campaign.id} campaign={campaign} operate={may.operate} />
        ))}
      </tbody>
    </Table>
  );
}

function CampaignRow({ campaign, operate }: { campaign: Campaign; operate: boolean }) {
  const running = campaign.status === "RUNNING";
  const now = useNow(10_000);
  const { mood, title: says } = verdict(campaign, now);
  const eta = foreseeableEnd(campaign);
  const ends = campaign.completed_at ?? (eta && Date.parse(eta) > now ? eta : null);
  return (
    <Row>
      <Cell>
        <Link to={campaignUrl(campaign.id)} className={cn("rounded font-medium", WHOLE_ROW)}>
          {campaign.name}
        </Link>
        <div className="mt-1 flex flex-wrap items-center gap-2 text-xs text-ink-3">
          <Version withdrawn={campaign.firmware_withdrawal}>{campaign.firmware_version}</Version>
          {t.campaign.to} {targetName(campaign)}
        </div>
        <div className="mt-2.5 space-y-2.5 md:hidden">
          <div className="flex flex-wrap items-center gap-x-2.5 sm:hidden">
            <CampaignState status={campaign.status} />
            {says !== t.campaignStatus[campaign.status] && <span className={cn("text-xs", mood === "bad" || mood === "warn" ? "text-failed-text" : "text-ink-3")}>{says}</span>}
          </div>
          <StateBar counts={campaign.status_breakdown} className="h-1.5" />
        </div>
      </Cell>
      <Cell className="max-sm:hidden">
        <CampaignState status={campaign.status} />
        {says !== t.campaignStatus[campaign.status] && <p className={cn("mt-1 text-xs", mood === "bad" || mood === "warn" ? "text-failed-text" : "text-ink-3")}>{says}</p>}
      </Cell>
      <Cell className="max-md:hidden">
        <StateBar counts={campaign.status_breakdown} className="h-2" />
      </Cell>
      <Cell className="text-right max-lg:hidden">{count(campaign.succeeded)}</Cell>
      <Cell className={cn("text-right max-lg:hidden", campaign.failed > 0 && "font-medium text-failed-text")}>{count(campaign.failed)}</Cell>
      <Cell className="text-right max-xl:hidden">{running && campaign.actual_rate != null ? count(campaign.actual_rate) : DASH}</Cell>
      <Cell className="text-right whitespace-nowrap max-lg:hidden" title={exactly(ends)}>
        {moment(ends)}
      </Cell>
      {operate && (
        <Cell className="w-12">
          <RowMenu campaign={campaign} />
        </Cell>
      )}
    </Row>
  );
}

function RowMenu({ campaign }: { campaign: Campaign }) {
  const [aborting, setAborting] = useState(false);
  const control = useControl(campaign);
  const navigate = useNavigate();
  const can = allowed(campaign);
  return (
    <div className="relative z-10">
      <Menu
        trigger={
          <Button kind="quiet" size="icon" aria-label={t.campaigns.actions(campaign.name)}>
            <EllipsisVertical aria-hidden />
          </Button>
        }
      >
        <MenuItem icon={Eye} onClick={() => void navigate(campaignUrl(campaign.id))}>
          {t.nav.overview}
        </MenuItem>
        {can.start && (
          <MenuItem icon={Play} onClick={() => control.mutate({ control: "start" })}>
            {campaign.status === "PAUSED" ? t.campaign.resume : t.campaign.start}
          </MenuItem>
        )}
        {can.again && (
          <MenuItem icon={Repeat} onClick={() => void navigate(againUrl(campaign.id))}>
            {t.campaign.again}
          </MenuItem>
        )}
        {can.pause && (
          <MenuItem icon={Pause} onClick={() => control.mutate({ control: "pause" })}>
            {t.campaign.pause}
          </MenuItem>
        )}
        {can.abort && (
          <MenuItem icon={CircleX} danger onClick={() => setAborting(true)}>
            {t.campaign.abort}…
          </MenuItem>
        )}
      </Menu>
      <AbortDialog campaign={campaign} open={aborting} onOpenChange={setAborting} />
    </div>
  );
}
