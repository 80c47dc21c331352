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
  /** Failures a minute. */
  rate: number;
}

/** Failures a minute in at most `most` bars of equal width over the moments' time. */
export function failureBars(all: Moment[], most = 80): Bar[] {
  const first = all[0];
  const last = all.at(-1);
  if (!first || !last || last.at <= first.at) return [];
  const width = (last.at - first.at) / Math.max(1, Math.min(most, all.length - 1));
  const bars: Bar[] = [];
  let before = first.failures;
  let place = 0;
  for (let from = first.at; from < last.at - 1; from += width) {
    const to = from + width;
    while (place + 1 < all.length && all[place + 1]!.at <= to + 1) place += 1;
    const failures = all[place]!.failures;
    if (failures > before) bars.push({ from, to, rate: ((failures - before) * 60_000) / width });
    before = failures;
  }
  return bars;
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
