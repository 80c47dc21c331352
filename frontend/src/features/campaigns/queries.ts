/** Campaigns from the server, and what people do to them. List and detail share each campaign's entry. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { toast } from "sonner";
import { api, body } from "@/api/client";
import { useIntention, type Once } from "@/api/intention";
import { asRefusal } from "@/api/problem";
import type { Campaign, CampaignList, CampaignStatus, CampaignSummary, Controlled, DeviceRow, NewCampaign, Preview } from "@/api/types";
import { newer, patchList } from "@/lib/live/patch";
import { useStream } from "@/lib/live/use-live";
import type { Status } from "@/lib/status";
import { t } from "@/lib/texts.en";
import { isOver } from "./burnup";
import { statesToAsk } from "./rows";
import type { Wait } from "./waits";

export const campaignUrl = (id: number | string) => `/ota/campaigns/${id}`;
/** A new campaign with the same settings, for the devices that this one has not updated. */
export const againUrl = (id: number) => `/ota/campaigns/new?of=${id}`;
const key = (id: number) => ["campaign", id];

export const remember = (client: QueryClient, next: Campaign) => client.setQueryData<Campaign>(key(next.id), (known) => newer(known, next));

const of = (id: number) => ({ params: { path: { campaign_id: id } } });
const one = (id: number) => body(api.GET("/customer/ota/campaigns/{campaign_id}", of(id)));

export function useCampaign(id: number) {
  const client = useQueryClient();
  return useQuery({ queryKey: key(id), queryFn: async () => newer(client.getQueryData(key(id)), await one(id)) });
}

/** Keeps a campaign's entry at the server's state; says how the connection is. */
export function useCampaignStream(id: number) {
  const client = useQueryClient();
  return useStream(`/customer/ota/campaigns/${id}/events`, {
    event: (name, data) => {
      if (name === "campaign") client.setQueryData(key(id), data as Campaign);
    },
    recovered: () => void Promise.all([client.invalidateQueries({ queryKey: key(id) }), client.invalidateQueries({ queryKey: ["history", id] })]),
  });
}

export function useHistory(campaign: Campaign) {
  const moves = !isOver(campaign) && campaign.started_at !== null;
  return useQuery({
    queryKey: ["history", campaign.id],
    queryFn: () => body(api.GET("/customer/ota/campaigns/{campaign_id}/history", of(campaign.id))),
    enabled: campaign.started_at !== null,
    refetchInterval: ({ state }) => moves && Math.min(5000, 1000 * (state.data?.resolution_seconds ?? 1)),
  });
}

export function useTimeline(campaign: Campaign) {
  return useQuery({
    queryKey: ["timeline", campaign.id, campaign.epoch, campaign.stages.map((stage) => stage.status).join()],
    queryFn: async () => (await body(api.GET("/customer/ota/campaigns/{campaign_id}/timeline", of(campaign.id)))).entries,
    placeholderData: (before) => before,
  });
}

// ---- the list

/** A state, or what waits for a person; "": all. */
export type Shown = CampaignStatus | "ATTENTION" | "";
export const SHOWN: Shown[] = ["", "ATTENTION", "RUNNING", "PAUSED", "CREATED", "COMPLETED", "ABORTED"];

export interface ListFilter {
  search: string;
  shown: Shown;
}

function page({ search, shown }: ListFilter, after: string | null, limit: number) {
  const which = shown === "ATTENTION" ? { needs_attention: true } : shown && { status: shown };
  return body(api.GET("/customer/ota/campaigns", { params: { query: { limit, ...(after && { after }), ...(search && { search }), ...which } } }));
}

export function useCampaigns(filter: ListFilter) {
  return useInfiniteQuery({
    queryKey: ["campaigns", filter],
    queryFn: ({ pageParam }) => page(filter, pageParam, 50),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    placeholderData: (before) => before,
  });
}

/** How many campaigns each filter shows. */
export function useCampaignCounts() {
  return useQuery({
    queryKey: ["campaigns", "counts"],
    queryFn: async () => {
      const pages = await Promise.all(SHOWN.map((shown) => page({ search: "", shown }, null, 1)));
      return Object.fromEntries(SHOWN.map((shown, place) => [shown, pages[place]!.total])) as Record<Shown, number>;
    },
    staleTime: 5000,
  });
}

interface Paged {
  pages: CampaignList[];
  pageParams: unknown[];
}

/** Patches every list and campaign that is known; `fresh` hears of campaigns that no list shows. */
export function useListStream(fresh: (ids: number[]) => void, also?: (changes: CampaignSummary[]) => void) {
  const client = useQueryClient();
  return useStream("/customer/ota/events", {
    event: (name, data) => {
      if (name !== "campaigns") return;
      const changes = (data as { campaigns: CampaignSummary[] }).campaigns;
      fresh(patchEverywhere(client, changes));
      also?.(changes);
      void client.invalidateQueries({ queryKey: ["campaigns", "counts"], refetchType: "active" }, { cancelRefetch: false });
    },
    recovered: () => void Promise.all([client.invalidateQueries({ queryKey: ["campaigns"] }), client.invalidateQueries({ queryKey: ["overview"] })]),
  });
}

function patchEverywhere(client: QueryClient, changes: CampaignSummary[]): number[] {
  const unknown = new Set(changes.map((change) => change.id));
  for (const [queryKey, known] of client.getQueriesData<Paged>({ queryKey: ["campaigns"] })) {
    if (!known?.pages) continue;
    const before = new Map(known.pages.flatMap((list) => list.campaigns.map(({ id, epoch }) => [id, epoch])));
    const controlled = changes.some(({ id, epoch }) => before.has(id) && before.get(id) !== epoch);
    // A control change also changes what the summary does not tell: stages, and why.
    if (controlled) void client.invalidateQueries({ queryKey }, { cancelRefetch: false });
    const pages = known.pages.map((list) => {
      for (const { id } of list.campaigns) unknown.delete(id);
      return { ...list, campaigns: patchList(list.campaigns, changes).campaigns };
    });
    client.setQueryData(queryKey, { ...known, pages });
  }
  for (const change of changes) client.setQueryData<Campaign>(key(change.id), (known) => known && newer(known, { ...known, ...change }));
  return [...unknown];
}

// ---- the rows of a campaign

interface RowPage {
  rows: DeviceRow[];
  next: RowCursor | null;
}
interface RowCursor {
  state: number;
  after: string | null;
}
const ROWS = 100;

async function rowsOf(id: number, status: Status | "", search: string, reason: string | null, wait: Wait | null, after: string | null) {
  const query = { limit: ROWS, ...(status && { status }), ...(search && { search }), ...(after && { after }), ...(reason && { error_code: reason }), ...(wait && { wait }) };
  return body(api.GET("/customer/ota/campaigns/{campaign_id}/devices", { params: { path: { campaign_id: id }, query } }));
}

/** The campaign's rows, worst state first, a page at a time; nothing is loaded that is not looked at. */
export function useRows(campaign: Campaign, only: Status | "", search: string, reason: string | null, wait: Wait | null) {
  const { id, status_breakdown: counts } = campaign;
  const over = isOver(campaign);
  return useInfiniteQuery({
    queryKey: ["rows", id, only, search, reason, wait, over],
    queryFn: async ({ pageParam }): Promise<RowPage> => {
      const states = statesToAsk(only, search || wait, counts);
      for (let { state, after } = pageParam; state < states.length; state += 1, after = null) {
        const answer = await rowsOf(id, states[state]!, search, reason, wait, after);
        const next = answer.next ? { state, after: answer.next } : state + 1 < states.length ? { state: state + 1, after: null } : null;
        if (answer.devices.length > 0 || !next) return { rows: answer.devices, next };
      }
      return { rows: [], next: null };
    },
    initialPageParam: { state: 0, after: null } as RowCursor,
    getNextPageParam: (last) => last.next,
    placeholderData: (before) => before,
    // Every page that is loaded is read again, so the more there are the less often.
    refetchInterval: ({ state }) => !over && (state.data && state.data.pages.length > 3 ? 15_000 : 2500),
  });
}

// ---- what people do

export type Control = "start" | "pause" | "abort";
const CONTROL = {
  start: "/customer/ota/campaigns/{campaign_id}/start",
  pause: "/customer/ota/campaigns/{campaign_id}/pause",
  abort: "/customer/ota/campaigns/{campaign_id}/abort",
} as const;

function useSettled<T>(done: (asked: T) => string) {
  const client = useQueryClient();
  return {
    onSuccess: (answer: Campaign | Controlled, asked: T) => {
      remember(client, answer);
      void client.invalidateQueries({ queryKey: ["campaigns"] });
      if ("control" in answer && answer.control === "pending") toast.warning(t.campaign.pending);
      else toast.success(done(asked));
    },
    onError: (error: unknown) => {
      const { title, detail } = asRefusal(error);
      toast.error(title, { description: detail });
    },
  };
}

export interface Wish {
  control: Control;
  /** For the timeline. */
  reason?: string;
}

/** Words for the timeline, if there are any. */
const because = (reason: string | undefined) => (reason?.trim() ? { reason: reason.trim() } : {});

export function useControl(campaign: Campaign) {
  const words: Record<Control, string> = { start: campaign.status === "PAUSED" ? t.campaign.resumed : t.campaign.started, pause: t.campaign.paused, abort: t.campaign.aborted };
  return useIntention(
    ({ control, reason }: Wish, headers) => body(api.POST(CONTROL[control], { ...of(campaign.id), headers, body: because(reason) })) as Promise<Controlled>,
    { about: campaign.epoch, ...useSettled(({ control }: Wish) => words[control]) },
  );
}

export function useChangeRate({ id, epoch }: Campaign) {
  return useIntention(
    (rollout_rate: number, headers) => body(api.PATCH("/customer/ota/campaigns/{campaign_id}", { ...of(id), headers, body: { rollout_rate } })) as Promise<Controlled>,
    { about: epoch, ...useSettled(() => t.campaign.rateChanged) },
  );
}

export function useApprove(id: number) {
  return useIntention(
    ({ number, reason }: { number: number; reason: string }, headers) =>
      body(api.POST("/customer/ota/campaigns/{campaign_id}/stages/{number}/approve", { params: { path: { campaign_id: id, number } }, headers, body: because(reason) })) as Promise<Campaign>,
    useSettled(() => t.campaign.approved),
  );
}

/** Takes one device out of the campaign. */
export function useSkip({ id }: Campaign, device_id: string) {
  const client = useQueryClient();
  return useIntention(
    (reason: string, headers) => body(api.POST("/customer/ota/campaigns/{campaign_id}/devices/{device_id}/skip", { params: { path: { campaign_id: id, device_id } }, headers, body: because(reason) })),
    {
      about: device_id,
      onSuccess: () => {
        toast.success(t.skip.done);
        for (const queryKey of [key(id), ["device", device_id], ["rows", id], ["timeline", id]]) void client.invalidateQueries({ queryKey });
      },
      onError: (error) => toast.error(asRefusal(error).title, { description: asRefusal(error).detail }),
    },
  );
}

export function useRetry({ id, epoch, failed }: Campaign) {
  const client = useQueryClient();
  return useIntention((_: void, headers) => body(api.POST("/customer/ota/campaigns/{campaign_id}/retry", { ...of(id), headers, body: {} })) as Promise<{ accepted: number }>, {
    about: [epoch, failed],
    onSuccess: ({ accepted }) => {
      toast.success(t.campaign.retried(accepted));
      void client.invalidateQueries({ queryKey: key(id) });
    },
    onError: (error) => toast.error(asRefusal(error).title, { description: asRefusal(error).detail }),
  });
}

export function useDeleteCampaign() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: number) => body(api.DELETE("/customer/ota/campaigns/{campaign_id}", of(id))),
    onSuccess: () => {
      toast.success(t.campaign.deleted);
      void client.invalidateQueries({ queryKey: ["campaigns"] });
    },
    onError: (error) => toast.error(asRefusal(error).title, { description: asRefusal(error).detail }),
  });
}

const PREVIEW = { params: { query: { preview: true } } };

/** What a campaign would do; nothing is kept. */
export const preview = (request: NewCampaign) => body(api.POST("/customer/ota/campaigns", { ...PREVIEW, body: request })) as Promise<Preview>;

export const createCampaign = (request: NewCampaign, headers: Once) => body(api.POST("/customer/ota/campaigns", { headers, body: request })) as Promise<Campaign>;
