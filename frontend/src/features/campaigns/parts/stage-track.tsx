/** The stages as a track: what is done, what holds, and the gates between them. */
import { Check, Clock, ShieldAlert, ShieldCheck, ShieldQuestion, X } from "lucide-react";
import { Fragment, useState } from "react";
import type { Campaign, Stage } from "@/api/types";
import { useMay } from "@/app/session";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Meter } from "@/components/ui/state-bar";
import { cn } from "@/lib/cn";
import { aMinute, chosenShare, share } from "@/lib/format";
import { finished, meant, updatable } from "@/lib/status";
import { t } from "@/lib/texts.en";
import { useApprove } from "../queries";
import { isLetPass, isStuck } from "../verdict";
import { ReasonDialog } from "./reason-dialog";

export function StageTrack({ campaign, now }: { campaign: Campaign; now: number }) {
  if (campaign.stages.length < 2) return null;
  return (
    <Card>
      <ol aria-label={t.stages.label} className="flex p-2 max-lg:flex-col">
        {campaign.stages.map((stage, place) => (
          <Fragment key={stage.number}>
            {place > 0 && <Gate before={campaign.stages[place - 1]!} />}
            <StageBox stage={stage} campaign={campaign} now={now} />
          </Fragment>
        ))}
      </ol>
    </Card>
  );
}

function Gate({ before }: { before: Stage }) {
  const [Icon, look] =
    before.status === "PASSED" || isLetPass(before)
      ? ([ShieldCheck, "bg-success-tint text-success-text"] as const)
      : before.status === "FAILED"
        ? ([ShieldAlert, "bg-failed-tint text-failed-text"] as const)
        : ([ShieldQuestion, "bg-neutral-tint text-neutral-text"] as const);
  return (
    <li aria-hidden className="flex items-center justify-center max-lg:py-1">
      <span className={cn("grid size-6 place-items-center rounded-full", look)}>
        <Icon className="size-3.5" />
      </span>
    </li>
  );
}

function StageBox({ stage, campaign, now }: { stage: Stage; campaign: Campaign; now: number }) {
  const total = meant(campaign, stage.status_breakdown);
  const done = finished(stage.status_breakdown);
  const at = stage.status !== "PASSED" && stage.number === campaign.current_stage && campaign.status !== "COMPLETED";
  const running = campaign.status === "RUNNING";
  const all = meant(campaign, campaign.status_breakdown);
  const failed = stage.status === "FAILED" && !isLetPass(stage);
  const passed = hasPassed(stage, campaign);
  return (
    <li aria-current={at ? "step" : undefined} className={cn("min-w-0 flex-1 rounded-lg px-4 py-3", at && (failed ? "bg-failed-tint" : "bg-flight-tint"))}>
      <div className="flex items-center gap-2 text-[13px]">
        <Badge status={passed || isLetPass(stage) ? "PASSED" : isStopped(stage, campaign) ? "RUNNING" : stage.status} number={stage.number} at={at} />
        <span className="truncate font-semibold">{t.stageName(stage.name)}</span>
        {all > 0 && <span className="text-xs text-ink-2">{share(total / all, 0)}</span>}
        <span className={cn("ml-auto text-xs font-medium whitespace-nowrap", tone(stage, at, passed))}>{word(stage, campaign, at)}</span>
      </div>
      <Meter part={total ? done / total : stage.status === "PASSED" ? 1 : 0} className="my-2.5" />
      <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-1 text-xs text-ink-2">
        <span>{t.stages.of(done, total)}</span>
        <span>{detail(stage, campaign, now)}</span>
      </div>
      {at && (APPROVABLE.has(stage.status) || isStuck(stage) || isLetPass(stage)) && (running || campaign.status === "PAUSED") && <Approval stage={stage} campaign={campaign} />}
    </li>
  );
}

const APPROVABLE = new Set<Stage["status"]>(["AWAITING_APPROVAL", "FAILED"]);

/** The last stage has no gate: it has passed when the campaign is complete. */
const hasPassed = (stage: Stage, campaign: Campaign) => stage.status === "PASSED" || (campaign.status === "COMPLETED" && stage.status !== "FAILED");

/** An abort has ended it before it was through. */
const isStopped = (stage: Stage, campaign: Campaign) => campaign.status === "ABORTED" && stage.status !== "PASSED" && stage.status !== "FAILED";

function Badge({ status, number, at }: { status: Stage["status"]; number: number; at: boolean }) {
  const look = "grid size-5 shrink-0 place-items-center rounded-full text-[11px] font-semibold";
  if (status === "PASSED") return <span className={cn(look, "bg-success text-card")}><Check aria-hidden className="size-3" strokeWidth={3} /></span>;
  if (status === "FAILED") return <span className={cn(look, "bg-failed text-card")}><X aria-hidden className="size-3" strokeWidth={3} /></span>;
  if (status === "SOAKING" && at) return <span className={cn(look, "bg-installing text-card")}><Clock aria-hidden className="size-3" strokeWidth={2.5} /></span>;
  return <span className={cn(look, at ? "bg-installing text-card" : "bg-neutral-tint text-neutral-text")}>{number + 1}</span>;
}

function tone(stage: Stage, at: boolean, passed: boolean) {
  if (passed || isLetPass(stage)) return "text-success-text";
  if (stage.status === "FAILED") return "text-failed-text";
  return at ? "text-flight-text" : "text-ink-3";
}

function word(stage: Stage, campaign: Campaign, at: boolean): string {
  if (hasPassed(stage, campaign)) return t.stageStatus.PASSED;
  if (isLetPass(stage)) return t.stages.gatePassed;
  if (isStopped(stage, campaign)) return at ? t.campaignStatus.ABORTED : t.stages.notReached;
  if (at && campaign.status !== "RUNNING" && stage.status === "RUNNING") return t.campaignStatus[campaign.status];
  return t.stageStatus[stage.status];
}

function detail(stage: Stage, campaign: Campaign, now: number): string {
  const last = stage.number === campaign.stages.length - 1;
  const total = updatable(stage.status_breakdown);
  if (hasPassed(stage, campaign)) {
    return t.stages.passed(total ? (stage.status_breakdown.SUCCESS ?? 0) / total : 1, stage.soak_seconds);
  }
  if (isStopped(stage, campaign)) return "";
  if (stage.status === "SOAKING" && stage.soak_until) return t.stages.soaking((Date.parse(stage.soak_until) - now) / 1000);
  if (stage.status === "FAILED") return t.stages.failed(stage.min_success);
  if (stage.status === "AWAITING_APPROVAL" && !isLetPass(stage)) return t.stages.approver;
  if (isStuck(stage)) return t.stages.missing(stage.status_breakdown.SUCCESS ?? 0, stage.needed ?? 0);
  if (stage.status === "RUNNING" && !last) return `${aMinute(stage.rollout_rate)} · ${chosenShare(stage.min_success)} to pass`;
  return aMinute(stage.rollout_rate);
}

function Approval({ stage, campaign }: { stage: Stage; campaign: Campaign }) {
  const may = useMay();
  const approve = useApprove(campaign.id);
  const [asking, setAsking] = useState(false);
  if (isLetPass(stage)) return <p className="mt-3 text-xs font-medium text-success-text">{t.stages.passedBy(stage.approved_by, campaign.status === "PAUSED")}</p>;
  if (!may.approve) return null;
  const failed = stage.status === "FAILED";
  const stuck = isStuck(stage);
  const next = campaign.stages[stage.number + 1];
  const says = next ? t.stages.opens(t.stageName(next.name), updatable(next.status_breakdown)) : "";
  const go = (reason: string) => approve.mutate({ number: stage.number, reason }, { onSettled: () => setAsking(false) });
  return (
    <div className="mt-3 flex flex-wrap items-center gap-3">
      <Button kind="primary" size="small" onClick={() => setAsking(true)}>
        {stuck ? t.stages.openEarly : failed ? t.stages.letPass : t.stages.approve}
      </Button>
      {failed && <span className="text-xs text-ink-2">{t.stages.passNote}</span>}
      <ReasonDialog
        open={asking}
        onOpenChange={setAsking}
        title={(stuck ? t.stages.openEarlyTitle : failed ? t.stages.letPassTitle : t.stages.approveTitle)(t.stageName(stage.name))}
        says={stuck ? `${t.stages.missing(stage.status_breakdown.SUCCESS ?? 0, stage.needed ?? 0)} ${says}` : failed ? `${says} ${t.stages.passNote}` : says}
        go={stuck ? t.stages.openEarly : failed ? t.stages.letPass : t.stages.approve}
        needed={stuck}
        busy={approve.isPending}
        onGo={go}
      />
    </div>
  );
}
