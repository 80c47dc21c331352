/** One sentence on how a campaign does, the worst news first. Pure: the campaign and the time in, words out. */
import type { Campaign, Stage } from "@/api/types";
import { AT_WORK, finished, sum, updatable } from "@/lib/status";
import { t } from "@/lib/texts.en";
import { foreseeableEnd, heldBack, heldBackInAll, nothingToSend, waitingUpToNow } from "./waits";

export type Mood = "well" | "bad" | "warn" | "calm";

export interface Verdict {
  mood: Mood;
  title: string;
  says: string;
}

/** From this part of the way to the abort line on, the campaign is close to aborting. */
const CLOSE_TO_ABORT = 0.8;
/** Below this part of the promised rate a campaign is slow. */
const SLOW = 0.8;
/** From this part of finished devices on, failures are what has to be told, whatever the rule allows. */
const MANY = 0.2;
/** A rate over the last minute says nothing about a campaign, or stage, that is younger. */
const RATE_SETTLES_MS = 60_000;

const seconds = (from: string | null, to: number) => (from ? (to - Date.parse(from)) / 1000 : 0);
const currentStage = (campaign: Campaign): Stage | undefined => campaign.stages[campaign.current_stage];
const atWork = (campaign: Campaign) => sum(campaign.status_breakdown, AT_WORK);

/** How failures stand to the abort rule: what it counts, of how many, and the number at which it stops now. */
export function abortStanding(campaign: Campaign) {
  const sequential = campaign.abort_rule === "sequential";
  const failed = sequential ? campaign.failing_devices : campaign.failed;
  const of = sequential ? campaign.dispatched_devices : campaign.succeeded + campaign.failed;
  return { failed, of, at: campaign.abort_at, way: campaign.abort_at ? failed / campaign.abort_at : 0 };
}

/** An approver has opened the gate; the stage passes when the running campaign is judged next. */
export const isLetPass = (stage: Stage) => stage.approved_at !== null && (stage.status === "FAILED" || stage.status === "AWAITING_APPROVAL" || stage.status === "RUNNING");

/** The server has found that its gate needs devices that are offline or refused. */
export const isStuck = (stage: Stage) => stage.status === "RUNNING" && stage.stuck_since !== null && stage.approved_at === null;

export function verdict(campaign: Campaign, now: number): Verdict {
  switch (campaign.status) {
    case "CREATED":
      if (campaign.firmware_withdrawal) return withdrawn(campaign, campaign.firmware_withdrawal, t.verdict.createdFirmware, t.verdict.createdWithdrawn);
      return { mood: "calm", title: t.verdict.created, says: t.verdict.createdSays(updatable(campaign.status_breakdown), currentStage(campaign)?.rollout_rate ?? campaign.rollout_rate) };
    case "ABORTED":
      return { mood: "bad", title: t.verdict.abortedBy, says: whyAborted(campaign) + (atWork(campaign) ? t.verdict.stillAtWork(atWork(campaign)) : "") };
    case "PAUSED":
      return whyPaused(campaign);
    case "COMPLETED":
      return complete(campaign);
    case "RUNNING":
      return running(campaign, now);
  }
}

function whyAborted(campaign: Campaign): string {
  const reason = campaign.status_reason;
  const { failed, of } = abortStanding(campaign);
  if (reason?.code === "abort_ratio") return t.verdict.abortedRatio(failed, of, campaign.abort_threshold);
  if (reason?.code === "abort_sequential") return t.verdict.abortedSequential(failed, of, campaign.abort_threshold, campaign.abort_confidence);
  if (reason?.code === "restored") return t.verdict.abortedRestored;
  return reason ? t.verdict.abortedOperator(reason.by, reason.at, reason.detail) : "";
}

function whyPaused(campaign: Campaign): Verdict {
  const reason = campaign.status_reason;
  const stage = currentStage(campaign);
  if (campaign.firmware_withdrawal) return withdrawn(campaign, campaign.firmware_withdrawal, t.verdict.pausedFirmware, t.verdict.pausedWithdrawn);
  if (reason?.code === "gate_failed" && stage) return atFailedGate(campaign, stage);
  if (reason?.code === "restored") return { mood: "bad", title: t.verdict.pausedRestored, says: t.verdict.pausedRestoredSays };
  return { mood: "calm", title: t.verdict.paused, says: reason ? t.verdict.pausedOperator(reason.by, reason.at, reason.detail) : "" };
}

function withdrawn(campaign: Campaign, withdrawal: NonNullable<Campaign["firmware_withdrawal"]>, title: string, so: string): Verdict {
  return { mood: "bad", title, says: t.verdict.withdrawn(campaign.firmware_version, withdrawal) + so };
}

function atFailedGate(campaign: Campaign, stage: Stage): Verdict {
  const name = t.stageName(stage.name);
  if (!isLetPass(stage)) return { mood: "bad", title: t.verdict.gateFailed, says: t.verdict.pausedGate(name, stage.min_success) };
  const next = campaign.stages[campaign.current_stage + 1];
  return { mood: "calm", title: t.verdict.letPass(stage.approved_by), says: t.verdict.letPassSays(name, stage.min_success, next ? t.stageName(next.name) : null) };
}

const manyFail = ({ failed, succeeded }: Campaign) => failed > 1 && failed / (failed + succeeded) >= MANY;

function complete(campaign: Campaign): Verdict {
  const took = seconds(campaign.started_at, Date.parse(campaign.completed_at ?? campaign.created_at));
  const all = updatable(campaign.status_breakdown);
  const reason = campaign.status_reason;
  if (reason?.code === "nobody_updated") return { mood: "warn", title: t.verdict.completeNobody, says: t.verdict.completeNobodySays(campaign.failed, campaign.status_breakdown.SKIPPED ?? 0) };
  if (all === 0) return { mood: "calm", title: t.verdict.complete, says: t.verdict.completeNone };
  const says = campaign.failed === 0 ? t.verdict.completeAll(campaign.succeeded, took) : t.verdict.completeSome(campaign.succeeded, campaign.failed, took);
  return { mood: manyFail(campaign) ? "warn" : "well", title: t.verdict.complete, says };
}

function running(campaign: Campaign, now: number): Verdict {
  const stage = currentStage(campaign);
  const { failed, at, way } = abortStanding(campaign);
  if (at !== null && failed > 1 && way >= CLOSE_TO_ABORT) return { mood: "warn", title: t.verdict.nearAbort, says: t.verdict.nearAbortSays(failed, at) };
  if (manyFail(campaign)) return { mood: "warn", title: t.verdict.many, says: t.verdict.manySays(campaign.failed / (campaign.failed + campaign.succeeded), at) };
  if (stage?.status === "AWAITING_APPROVAL" && !isLetPass(stage)) {
    const next = campaign.stages[campaign.current_stage + 1];
    return { mood: "warn", title: t.verdict.approval, says: t.verdict.approvalSays(t.stageName(stage.name), next ? t.stageName(next.name) : null) };
  }
  if (stage && isStuck(stage)) return { mood: "warn", title: t.verdict.stuck, says: t.verdict.stuckSays(t.stageName(stage.name), stage.status_breakdown.SUCCESS ?? 0, stage.needed ?? 0, parts(campaign)) };
  if (stage?.status === "RUNNING" && nothingToSend(campaign)) return waits(campaign);
  if (stage && isSlow(campaign, stage, now)) {
    return { mood: "warn", title: t.verdict.slow, says: t.verdict.slowSays(campaign.actual_rate ?? 0, stage.rollout_rate) + whySlow(campaign, stage) };
  }
  if (stage?.status === "SOAKING") {
    const left = -seconds(stage.soak_until, now);
    return { mood: "calm", title: t.verdict.soaking, says: left > 0 ? t.verdict.soakingSays(t.stageName(stage.name), left) : t.verdict.soakingDone(t.stageName(stage.name)) };
  }
  return { mood: "well", title: t.verdict.well, says: pace(campaign) + end(campaign, now) };
}

const parts = (campaign: Campaign) => heldBack(campaign).map(({ wait, n }) => t.heldBack[wait](n)[0]).join(", ");

function waits(campaign: Campaign): Verdict {
  const held = heldBack(campaign);
  const [only] = held;
  const title = held.length === 1 && only ? t.verdict.waitsFor[only.wait](only.n) : t.verdict.waitsForAny(heldBackInAll(campaign));
  return { mood: "calm", title, says: t.verdict.nothingToSend(atWork(campaign)) + t.verdict.noEnd(parts(campaign)) };
}

function isSlow(campaign: Campaign, stage: Stage, now: number): boolean {
  const rate = campaign.actual_rate;
  const young = now - Date.parse(campaign.started_at ?? "") < RATE_SETTLES_MS;
  if (rate === null || young || stage.status !== "RUNNING") return false;
  // With less than a minute's work left, the rate falls because there is nothing more to send.
  return rate < SLOW * stage.rollout_rate && waitingUpToNow(campaign) > stage.rollout_rate;
}

function whySlow(campaign: Campaign, stage: Stage): string {
  const busy = atWork(campaign);
  const ramp = campaign.ramp_start === null ? Infinity : campaign.ramp_start + Math.floor(campaign.ramp_factor * campaign.succeeded);
  const limit = Math.min(campaign.max_in_flight ?? Infinity, ramp);
  if (busy >= 0.9 * limit) return t.verdict.slowLimit(busy, limit) + (ramp === limit ? t.verdict.slowRamp : "");
  const held = stage.status_breakdown.PENDING ?? 0;
  return held > 0 ? t.verdict.slowOffline(held) : "";
}

function pace(campaign: Campaign): string {
  const left = updatable(campaign.status_breakdown) - finished(campaign.status_breakdown);
  if ((campaign.status_breakdown.PENDING ?? 0) === 0 && left > 0) return t.verdict.lastOnes(left);
  if (campaign.actual_rate) return t.verdict.onPace(Math.round(campaign.actual_rate));
  return campaign.dispatched_devices === 0 ? t.verdict.starting : t.verdict.quiet(atWork(campaign));
}

function end(campaign: Campaign, now: number): string {
  if (heldBackInAll(campaign) > 0) return t.verdict.noEnd(parts(campaign));
  const eta = foreseeableEnd(campaign);
  return eta && Date.parse(eta) > now ? t.verdict.finishes(eta, -seconds(eta, now)) : "";
}
