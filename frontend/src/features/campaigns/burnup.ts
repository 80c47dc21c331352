/** What the burn-up draws, from the history and the campaign as it is now. Pure. */
import type { Campaign, History } from "@/api/types";
import { t } from "@/lib/texts.en";
import { AT_WORK, sum, updatable, type Counts, type Status } from "@/lib/status";

export interface Moment {
  at: number;
  promised: number;
  counts: Counts;
  /** Cumulative. */
  failures: number;
}

/** Bottom to top. */
export const LAYERS: Status[] = ["SUCCESS", "FAILED", "INSTALLING", "DOWNLOADING", "DISPATCHED"];

/** Whether nothing of the campaign moves any more. */
export const isOver = (campaign: Campaign) => campaign.status === "COMPLETED" || (campaign.status === "ABORTED" && sum(campaign.status_breakdown, AT_WORK) === 0);

/** The history with the campaign's present as its last moment, the promise carried on at the present rate. */
export function moments(history: History, campaign: Campaign, now: number): Moment[] {
  const past = history.points.map(({ at, promised, counts, failed_attempts }) => ({ at: Date.parse(at), promised, counts, failures: failed_attempts }));
  const last = past.at(-1);
  if (!last || isOver(campaign) || now <= last.at) return past;
  const stage = campaign.stages[campaign.current_stage];
  const most = campaign.stages.slice(0, campaign.current_stage + 1).reduce((n, { status_breakdown }) => n + updatable(status_breakdown), 0);
  const earned = campaign.status === "RUNNING" && stage ? (stage.rollout_rate * (now - last.at)) / 60_000 : 0;
  const present: Moment = {
    at: now,
    promised: Math.max(last.promised, Math.min(most, last.promised + earned)),
    counts: campaign.status_breakdown,
    failures: Math.max(last.failures, campaign.failing_devices),
  };
  return [...past, present];
}

export interface Bar {
  from: number;
  to: number;
  failures: number;
}

/** Spans of time that people count by, in seconds. */
const SPANS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 2 * 3600, 6 * 3600, 12 * 3600, 86_400];

/** How many failed in each of at most `most` spans of `seconds` from the first moment on; times without any have no bar. */
export function failureBars(all: Moment[], most = 80): { seconds: number; bars: Bar[] } {
  const first = all[0];
  const last = all.at(-1);
  if (!first || !last || last.at <= first.at) return { seconds: 60, bars: [] };
  // Nothing is known about times between two moments.
  const least = (last.at - first.at) / 1000 / Math.max(1, Math.min(most, all.length - 1));
  const seconds = SPANS.find((span) => span >= 0.95 * least) ?? Math.ceil(least / 86_400) * 86_400;
  const bars: Bar[] = [];
  let before = first.failures;
  let place = 0;
  for (let from = first.at; from < last.at - 1; from += seconds * 1000) {
    const to = from + seconds * 1000;
    while (place + 1 < all.length && all[place + 1]!.at <= to + 1) place += 1;
    const { failures } = all[place]!;
    if (failures > before) bars.push({ from, to: Math.min(to, last.at), failures: failures - before });
    before = failures;
  }
  return { seconds, bars };
}

/** The moment that was last at `at`. */
export function momentAt(all: Moment[], at: number): number {
  let low = 0;
  let high = all.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (all[middle]!.at <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

export interface StageMark {
  at: number;
  name: string;
}

/** Where each stage began. */
export function stageMarks(history: History, campaign: Campaign): StageMark[] {
  if (campaign.stages.length < 2 || !campaign.started_at) return [];
  const begun = history.marks.filter((mark) => mark.event === "stage_started");
  const first = { at: Date.parse(campaign.started_at), name: t.stageName(campaign.stages[0]!.name) };
  return [first, ...begun.flatMap((mark) => {
    const stage = campaign.stages[mark.stage ?? -1];
    return stage ? [{ at: Date.parse(mark.at), name: t.stageName(stage.name) }] : [];
  })];
}

export const toldDevices = (counts: Counts) => sum(counts, LAYERS);
