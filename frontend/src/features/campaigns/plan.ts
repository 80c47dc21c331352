/** A campaign that is being planned: presets that fill its fields, and in words what will happen. Pure. */
import type { Campaign, NewCampaign } from "@/api/types";
import { count, devices } from "@/lib/format";
import { t } from "@/lib/texts.en";

export interface PlannedStage {
  name: string;
  /** 0–100. */
  share: string;
  soakMinutes: string;
  /** 0–100. */
  minSuccess: string;
  rate: string;
  approval: boolean;
}

/** As it is typed; numbers are text until they are sent. */
export interface Plan {
  name: string;
  firmware: string;
  group: string;
  /** In place of a group: the campaign whose devices are aimed at, as far as it has not updated them. */
  of: number | null;
  preset: Preset | "";
  rate: string;
  stages: PlannedStage[];
  rule: "sequential" | "ratio";
  threshold: string;
  confidence: string;
  minDevices: string;
  maxInFlight: string;
  rampStart: string;
  /** Not shown; as in the campaign that is run again. */
  rampFactor: number;
  attempts: string;
  timeoutMinutes: string;
}

export type Preset = "careful" | "normal" | "urgent";
export const PRESETS: Preset[] = ["careful", "normal", "urgent"];
type Details = Omit<Plan, "name" | "firmware" | "group" | "of">;
/** Whom another campaign has not updated; an abort may not have skipped all of them yet. */
export const LEFT = ["FAILED", "SKIPPED", "PENDING"] as const;

const stage = (name: string, share: string, rate: string, soakMinutes: string, minSuccess: string): PlannedStage => ({ name, share, rate, soakMinutes, minSuccess, approval: false });

const COMMON = { rule: "sequential", confidence: "95", minDevices: "1", attempts: "3", timeoutMinutes: "60", rampFactor: 1 } as const;

export const DETAILS: Record<Preset, Details> = {
  careful: {
    ...COMMON,
    preset: "careful",
    rate: "600",
    stages: [stage("Canary", "1", "60", "60", "98"), stage("Early", "10", "300", "60", "98")],
    threshold: "2",
    maxInFlight: "5000",
    rampStart: "10",
  },
  normal: { ...COMMON, preset: "normal", rate: "1200", stages: [stage("Canary", "5", "120", "15", "95")], threshold: "5", maxInFlight: "10000", rampStart: "50" },
  urgent: { ...COMMON, preset: "urgent", rate: "6000", stages: [], threshold: "10", maxInFlight: "", rampStart: "500" },
};

export const emptyPlan = (): Plan => ({ name: "", firmware: "", group: "", of: null, ...structuredClone(DETAILS.normal) });

const LONGEST_NAME = 200;
const asPercent = (share: number) => String(+(share * 100).toFixed(6));
const asTyped = (limit: number | null) => (limit === null ? "" : String(limit));

/** The same again for the devices that a campaign has not updated; of its deadline nothing is kept. */
export function planAgain(campaign: Campaign): Plan {
  const gated = campaign.stages.slice(0, -1);
  const all = Math.max(1, campaign.total_devices);
  return {
    name: `${campaign.name.slice(0, LONGEST_NAME - 6)} again`,
    firmware: String(campaign.firmware_version_id),
    group: "",
    of: campaign.id,
    preset: "",
    rate: String(campaign.rollout_rate),
    stages: gated.map((one) => ({
      name: one.name,
      // So many devices of all become the same part of those that are left.
      share: asPercent(one.share ?? Math.min(1, (one.count ?? 1) / all)),
      soakMinutes: String(+(one.soak_seconds / 60).toFixed(4)),
      minSuccess: asPercent(one.min_success),
      rate: String(one.rollout_rate),
      approval: one.approval,
    })),
    rule: campaign.abort_rule,
    threshold: asPercent(campaign.abort_threshold),
    confidence: asPercent(campaign.abort_confidence),
    minDevices: String(campaign.abort_min_devices),
    maxInFlight: asTyped(campaign.max_in_flight),
    rampStart: asTyped(campaign.ramp_start),
    rampFactor: campaign.ramp_factor,
    attempts: String(campaign.max_attempts),
    timeoutMinutes: String(+(campaign.attempt_timeout_seconds / 60).toFixed(4)),
  };
}

const optional = (text: string) => (text.trim() === "" ? null : Number(text));

type Check = (text: string) => true | string;

const whole = (low: number, high: number, mayBeEmpty = false): Check => (text) =>
  (mayBeEmpty && text.trim() === "") || (/^\d+$/.test(text.trim()) && Number(text) >= low && Number(text) <= high) || t.create.whole(low, high);
const between = (low: number, high: number, unit = ""): Check => (text) => (text.trim() !== "" && Number(text) >= low && Number(text) <= high) || t.create.between(low, high, unit);

/** What each number may be: true, or what is wrong. */
export const LIMITS = {
  rate: whole(1, 600_000),
  rampStart: whole(1, 1_000_000, true),
  maxInFlight: whole(1, 1_000_000, true),
  threshold: between(0, 100, t.create.percent),
  confidence: between(50, 99.99, t.create.percent),
  minDevices: whole(1, 100_000_000),
  attempts: whole(1, 10),
  timeoutMinutes: between(0.2, 10_080, t.create.minutes),
};
export const STAGE_LIMITS = {
  share: between(0.001, 100, t.create.percent),
  rate: whole(1, 600_000),
  minSuccess: between(0, 100, t.create.percent),
  soakMinutes: between(0, 10_080, t.create.minutes),
};

export const withinWhole = ({ stages }: Plan): true | string => stages.reduce((all, { share }) => all + Number(share), 0) <= 100 || t.create.sharesSum;

const keeps = <Name extends string>(rules: Record<Name, Check>, typed: Record<NoInfer<Name>, string>) => (Object.keys(rules) as Name[]).every((name) => rules[name](typed[name]) === true);

/** Whether every number that the plan's rule asks for is within its limits; what is not shown is not judged. */
export function isPossible(plan: Plan): boolean {
  const shown = { ...plan, ...(plan.rule === "sequential" ? { minDevices: "1" } : { confidence: "95" }) };
  return keeps(LIMITS, shown) && plan.stages.every((planned) => keeps(STAGE_LIMITS, planned)) && withinWhole(plan) === true;
}

/** Percent as a share, without the noise of binary fractions. */
const part = (percent: string) => +(Number(percent) / 100).toFixed(8);

/** What the API is asked for. */
export function asRequest(plan: Plan): NewCampaign {
  return {
    name: plan.name.trim(),
    firmware_version_id: Number(plan.firmware),
    ...(plan.of === null ? { target_group_id: plan.group } : { target_of: { campaign_id: plan.of, statuses: [...LEFT] } }),
    rollout_strategy: plan.stages.length > 0 ? "canary" : "linear",
    rollout_rate: Number(plan.rate),
    abort_rule: plan.rule,
    abort_threshold: part(plan.threshold),
    abort_confidence: part(plan.confidence),
    abort_min_devices: Number(plan.minDevices),
    max_attempts: Number(plan.attempts),
    attempt_timeout_seconds: Math.round(Number(plan.timeoutMinutes) * 60),
    max_in_flight: optional(plan.maxInFlight),
    ramp_start: optional(plan.rampStart),
    ramp_factor: plan.rampFactor,
    ...(plan.stages.length > 0 && {
      stages: plan.stages.map((planned) => ({
        name: planned.name.trim(),
        share: part(planned.share),
        rollout_rate: optional(planned.rate),
        soak_seconds: Math.round(Number(planned.soakMinutes) * 60),
        min_success: part(planned.minSuccess),
        approval: planned.approval,
      })),
    }),
  };
}

/** The field of the form that the server's `field` means, such as `stages.0.share`. */
export function fieldOf(server: string): string {
  const path = server.replace(/^body\./, "");
  const [, place, name] = /^stages\.(\d+)\.(\w+)$/.exec(path) ?? [];
  if (place && name) return `stages.${place}.${{ rollout_rate: "rate", soak_seconds: "soakMinutes", min_success: "minSuccess" }[name] ?? name}`;
  const names: Record<string, string> = {
    firmware_version_id: "firmware",
    target_group_id: "group",
    rollout_rate: "rate",
    abort_rule: "rule",
    abort_threshold: "threshold",
    abort_confidence: "confidence",
    abort_min_devices: "minDevices",
    max_attempts: "attempts",
    attempt_timeout_seconds: "timeoutMinutes",
    max_in_flight: "maxInFlight",
    ramp_start: "rampStart",
  };
  return names[path] ?? (path.startsWith("target_of") ? "group" : path);
}

/** How many of `total` each stage has, the last one being what is left; null where nobody knows yet. */
export function sizes(shares: number[], total: number | null): (number | null)[] {
  if (total === null) return [...shares, 0].map(() => null);
  let left = total;
  const stages = shares.map((one) => {
    const size = Math.min(left, Math.ceil(+(one * total).toFixed(6)));
    left -= size;
    return size;
  });
  return [...stages, left];
}

/** Sentences that say what the plan does with `total` devices (null: not known yet). */
export function summary(plan: Plan, total: number | null): string[] {
  const request = asRequest(plan);
  return [...rollout(request, total), stopping(request), ...limits(request), t.summary.attempts(request.max_attempts, request.attempt_timeout_seconds)];
}

function rollout(request: NewCampaign, total: number | null): string[] {
  const stages = request.stages ?? [];
  if (stages.length === 0) return [t.summary.linear(total === null ? "devices" : devices(total), request.rollout_rate)];
  const each = sizes(stages.map((planned) => planned.share ?? 0), total);
  const words = stages.map((planned, place) => {
    const size = each[place];
    const who = size == null ? `${count(Math.round((planned.share ?? 0) * 1000) / 10)} % of devices` : devices(size);
    const rate = planned.rollout_rate ?? request.rollout_rate;
    return (place === 0 ? t.summary.first : t.summary.next)(who, rate) + t.summary.gate(planned.min_success, planned.soak_seconds, planned.approval);
  });
  const rest = each.at(-1);
  if (rest === 0) return words;
  return [...words, t.summary.last(rest == null ? "all others" : `the other ${count(rest)}`, request.rollout_rate)];
}

function stopping(request: NewCampaign): string {
  if (request.abort_threshold >= 1) return t.summary.stopNever;
  return request.abort_rule === "sequential"
    ? t.summary.stopSequential(request.abort_confidence, request.abort_threshold)
    : t.summary.stopRatio(request.abort_threshold, request.abort_min_devices);
}

function limits(request: NewCampaign): string[] {
  const words = [];
  if (request.ramp_start) words.push(t.summary.ramp(request.ramp_start));
  if (request.max_in_flight) words.push(t.summary.inFlight(request.max_in_flight));
  return words;
}
