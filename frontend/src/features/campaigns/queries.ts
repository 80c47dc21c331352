/** Campaigns from the server, and what people do to them. List and detail share each campaign's entry. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { toast } from "sonner";
import { api, body, fetchApi } from "@/api/client";
import { asRefusal } from "@/api/problem";
import type { Campaign, CampaignStatus, DeviceRow, NewCampaign, TimelineEntry } from "@/api/types";
import { newer, patchList, type CampaignChange } from "@/lib/live/patch";
import { useStream } from "@/lib/live/use-live";
import { WORST_FIRST, type Counts, type Status } from "@/lib/status";
import { t } from "@/lib/texts.en";
import type { History } from "./burnup";

export const campaignUrl = (id: number | string) => `/ota/campaigns/${id}`;
const key = (id: number) => ["campaign", id];

export const remember = (client: QueryClient, next: Campaign) => client.setQueryData<Campaign>(key(next.id), (known) => newer(known, next));

const one = (id: number) => body<unknown>(api.GET("/customer/ota/campaigns/{campaign_id}", { params: { path: { campaign_id: id } } })) as Promise<Campaign>;

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
  const moves = campaign.completed_at === null && campaign.started_at !== null;
  return useQuery({
    queryKey: ["history", campaign.id],
    queryFn: async () => (await (await fetchApi(`/customer/ota/campaigns/${campaign.id}/history`)).json()) as History,
    enabled: campaign.started_at !== null,
    refetchInterval: moves ? 5000 : false,
  });
}

export function useTimeline(campaign: Campaign) {
  return useQuery({
    queryKey: ["timeline", campaign.id, campaign.epoch, campaign.stages.map((stage) => stage.status).join()],
    queryFn: async () => (await body(api.GET("/customer/ota/campaigns/{campaign_id}/timeline", { params: { path: { campaign_id: campaign.id } } }))).entries as TimelineEntry[],
    placeholderData: (before) => before,
  });
}

// ---- the list

export interface ListFilter {
  search: string;
  status: CampaignStatus | "";
}

interface CampaignPage {
  campaigns: Campaign[];
  total: number;
  total_capped: boolean;
  next: string | null;
}

const page = (filter: ListFilter, after: string | null, limit: number) =>
  body<unknown>(
    api.GET("/customer/ota/campaigns", { params: { query: { limit, ...(after && { after }), ...(filter.search && { search: filter.search }), ...(filter.status && { status: filter.status }) } } }),
  ) as Promise<CampaignPage>;

export function useCampaigns(filter: ListFilter) {
  return useInfiniteQuery({
    queryKey: ["campaigns", filter],
    queryFn: ({ pageParam }) => page(filter, pageParam, 50),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    placeholderData: (before) => before,
  });
}

/** How many campaigns have each state. */
export function useCampaignCounts() {
  return useQuery({
    queryKey: ["campaigns", "counts"],
    queryFn: async () => {
      const states: (CampaignStatus | "")[] = ["", "CREATED", "RUNNING", "PAUSED", "COMPLETED", "ABORTED"];
      const pages = await Promise.all(states.map((status) => page({ search: "", status }, null, 1)));
      return Object.fromEntries(states.map((status, place) => [status, pages[place]!.total])) as Record<CampaignStatus | "", number>;
    },
    staleTime: 5000,
  });
}

interface Paged {
  pages: CampaignPage[];
  pageParams: unknown[];
}

/** Patches every list and campaign that is known; `fresh` hears of campaigns that no list shows. */
export function useListStream(fresh: (ids: number[]) => void, also?: (changes: CampaignChange[]) => void) {
  const client = useQueryClient();
  return useStream("/customer/ota/events", {
    event: (name, data) => {
      if (name !== "campaigns") return;
      const changes = (data as { campaigns: CampaignChange[] }).campaigns;
      fresh(patchEverywhere(client, changes));
      also?.(changes);
      void client.invalidateQueries({ queryKey: ["campaigns", "counts"], refetchType: "active" }, { cancelRefetch: false });
    },
    recovered: () => void Promise.all([client.invalidateQueries({ queryKey: ["campaigns"] }), client.invalidateQueries({ queryKey: ["overview"] })]),
  });
}

function patchEverywhere(client: QueryClient, changes: CampaignChange[]): number[] {
  const unknown = new Set(changes.map((change) => change.id));
  for (const [queryKey, known] of client.getQueriesData<Paged>({ queryKey: ["campaigns"] })) {
    if (!known?.pages) continue;
    const pages = known.pages.map((one) => {
      for (const { id } of one.campaigns) unknown.delete(id);
      return { ...one, campaigns: patchList(one.campaigns, changes).campaigns };
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

async function rowsOf(id: number, status: Status, search: string, reason: string | null, after: string | null) {
  const query = { limit: ROWS, status, ...(search && { search }), ...(after && { after }), ...(reason && { error_code: reason }) };
  return body(api.GET("/customer/ota/campaigns/{campaign_id}/devices", { params: { path: { campaign_id: id }, query } }));
}

/** The campaign's rows, worst state first, a page at a time; nothing is loaded that is not looked at. */
export function useRows(id: number, counts: Counts, only: Status | "", search: string, reason: string | null) {
  return useInfiniteQuery({
    queryKey: ["rows", id, only, search, reason],
    queryFn: async ({ pageParam }): Promise<RowPage> => {
      const states = only ? [only] : WORST_FIRST.filter((status) => counts[status]);
      for (let { state, after } = pageParam; state < states.length; state += 1, after = null) {
        const answer = await rowsOf(id, states[state]!, search, reason, after);
        const next = answer.next ? { state, after: answer.next } : state + 1 < states.length ? { state: state + 1, after: null } : null;
        if (answer.devices.length > 0 || !next) return { rows: answer.devices, next };
      }
      return { rows: [], next: null };
    },
    initialPageParam: { state: 0, after: null } as RowCursor,
    getNextPageParam: (last) => last.next,
    placeholderData: (before) => before,
    maxPages: 200,
  });
}

// ---- what people do

export type Control = "start" | "pause" | "abort";
type Controlled = Campaign & { control: "announced" | "pending" | null };

const CONTROL = {
  start: "/customer/ota/campaigns/{campaign_id}/start",
  pause: "/customer/ota/campaigns/{campaign_id}/pause",
  abort: "/customer/ota/campaigns/{campaign_id}/abort",
} as const;

function useSettled(done: (answer: Controlled) => string) {
  const client = useQueryClient();
  return {
    onSuccess: (answer: Controlled) => {
      remember(client, answer);
      void client.invalidateQueries({ queryKey: ["campaigns"] });
      if (answer.control === "pending") toast.warning(t.campaign.pending);
      else toast.success(done(answer));
    },
    onError: (error: unknown) => {
      const { title, detail } = asRefusal(error);
      toast.error(title, { description: detail });
    },
  };
}

export function useControl(campaign: Campaign) {
  const words: Record<Control, string> = { start: campaign.status === "PAUSED" ? t.campaign.resumed : t.campaign.started, pause: t.campaign.paused, abort: t.campaign.aborted };
  let asked: Control = "start";
  return useMutation({
    mutationFn: (control: Control) => {
      asked = control;
      return body<unknown>(api.POST(CONTROL[control], { params: { path: { campaign_id: campaign.id } }, body: {} })) as Promise<Controlled>;
    },
    ...useSettled(() => words[asked]),
  });
}

export function useChangeRate(id: number) {
  return useMutation({
    mutationFn: (rollout_rate: number) => body<unknown>(api.PATCH("/customer/ota/campaigns/{campaign_id}", { params: { path: { campaign_id: id } }, body: { rollout_rate } })) as Promise<Controlled>,
    ...useSettled(() => t.campaign.rateChanged),
  });
}

async function post<T>(path: string, json: object): Promise<T> {
  const response = await fetchApi(`/customer/ota/campaigns${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(json) });
  return (await response.json()) as T;
}

export function useApprove(id: number) {
  return useMutation({ mutationFn: (stage: number) => post<Controlled>(`/${id}/stages/${stage}/approve`, {}), ...useSettled(() => t.campaign.approved) });
}

export function useRetry(id: number) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => post<{ accepted: number }>(`/${id}/retry`, {}),
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
    mutationFn: (id: number) => body(api.DELETE("/customer/ota/campaigns/{campaign_id}", { params: { path: { campaign_id: id } } })),
    onSuccess: () => {
      toast.success(t.campaign.deleted);
      void client.invalidateQueries({ queryKey: ["campaigns"] });
    },
    onError: (error) => toast.error(asRefusal(error).title, { description: asRefusal(error).detail }),
  });
}

export interface Preview {
  would_update: number;
  skipped: Record<string, number>;
  busy_elsewhere: number;
  stages: { name: string; total: number }[];
  estimated_seconds: number;
  bytes: number;
}

export const preview = (request: NewCampaign) => post<Preview>("?preview=true", request);

export const createCampaign = (request: NewCampaign) => body<unknown>(api.POST("/customer/ota/campaigns", { body: request })) as Promise<Campaign>;
