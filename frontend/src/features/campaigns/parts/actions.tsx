/** What can be done with a campaign now, by whom it may be done. */
import { CircleX, Gauge, Pause, Play, Repeat, RotateCcw, Trash2 } from "lucide-react";
import { useRef, useState } from "react";
import { useNavigate } from "react-router";
import type { Campaign } from "@/api/types";
import { useMay } from "@/app/session";
import { Button } from "@/components/ui/button";
import { AlertDialog } from "@/components/ui/dialog";
import { AT_WORK, sum } from "@/lib/status";
import { t } from "@/lib/texts.en";
import { againUrl, useControl, useDeleteCampaign, useRetry } from "../queries";
import { isLetPass } from "../verdict";
import { RateDialog } from "./rate-dialog";
import { ReasonDialog, ReasonField } from "./reason-dialog";

/** What the state of a campaign allows; past its `end_at` the server refuses to start it and another try, of a withdrawn firmware any. */
export const allowed = ({ status, failed, total_devices, succeeded, firmware_withdrawal }: Campaign) => ({
  start: (status === "CREATED" || status === "PAUSED") && !firmware_withdrawal,
  pause: status === "RUNNING",
  abort: status === "RUNNING" || status === "PAUSED" || status === "CREATED",
  rate: status === "RUNNING" || status === "PAUSED" || status === "CREATED",
  retry: failed > 0 && !firmware_withdrawal && ["RUNNING", "PAUSED", "COMPLETED"].includes(status),
  delete: status === "CREATED",
  again: (status === "ABORTED" || status === "COMPLETED") && succeeded < total_devices,
});

export function CampaignActions({ campaign }: { campaign: Campaign }) {
  const may = useMay();
  const navigate = useNavigate();
  const control = useControl(campaign);
  const retry = useRetry(campaign);
  const [dialog, setDialog] = useState<"abort" | "rate" | "delete" | "resume" | null>(null);
  const can = allowed(campaign);
  const close = (open: boolean) => !open && setDialog(null);
  const atFailedGate = campaign.status === "PAUSED" && campaign.status_reason?.code === "gate_failed";
  const stage = campaign.stages[campaign.current_stage];
  const passed = stage !== undefined && isLetPass(stage);
  const resume = (reason: string) => control.mutate({ control: "start", reason }, { onSettled: () => setDialog(null) });
  if (!may.operate) return null;
  return (
    <>
      {can.rate && (
        <Button onClick={() => setDialog("rate")}>
          <Gauge aria-hidden /> {t.campaign.changeRate}
        </Button>
      )}
      {can.retry && (
        <Button disabled={retry.isPending} onClick={() => retry.mutate()}>
          <RotateCcw aria-hidden /> {t.campaign.retry(campaign.failed)}
        </Button>
      )}
      {can.again && (
        <Button onClick={() => void navigate(againUrl(campaign.id))}>
          <Repeat aria-hidden /> {t.campaign.again}
        </Button>
      )}
      {can.pause && (
        <Button disabled={control.isPending} onClick={() => control.mutate({ control: "pause" })}>
          <Pause aria-hidden /> {t.campaign.pause}
        </Button>
      )}
      {can.start && (
        <Button kind={atFailedGate && !passed ? "plain" : "primary"} disabled={control.isPending} onClick={() => (atFailedGate ? setDialog("resume") : control.mutate({ control: "start" }))}>
          <Play aria-hidden /> {campaign.status === "PAUSED" ? t.campaign.resume : t.campaign.start}
        </Button>
      )}
      {can.abort && (
        <Button kind="warn" onClick={() => setDialog("abort")}>
          <CircleX aria-hidden /> {t.campaign.abort}
        </Button>
      )}
      {can.delete && may.delete && (
        <Button onClick={() => setDialog("delete")}>
          <Trash2 aria-hidden /> {t.campaign.delete}
        </Button>
      )}
      <AbortDialog campaign={campaign} open={dialog === "abort"} onOpenChange={close} />
      <ReasonDialog open={dialog === "resume"} onOpenChange={close} title={t.resume.title} says={passed ? t.resume.says(campaign.status_breakdown.PENDING ?? 0) : t.resume.notPassed(stage ? t.stageName(stage.name) : "")} go={t.campaign.resume} busy={control.isPending} onGo={resume} />
      <RateDialog campaign={campaign} open={dialog === "rate"} onOpenChange={close} />
      <DeleteDialog campaign={campaign} open={dialog === "delete"} onOpenChange={close} />
    </>
  );
}

interface DialogProps {
  campaign: Campaign;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/** Says what an abort does to how many devices; the numbers stay live while it is open. */
export function AbortDialog({ campaign, open, onOpenChange }: DialogProps) {
  const safe = useRef<HTMLButtonElement>(null);
  const [reason, setReason] = useState("");
  const control = useControl(campaign);
  const counts = campaign.status_breakdown;
  const waiting = counts.PENDING ?? 0;
  const parts = [
    waiting > 0 && t.abort.waiting(waiting),
    sum(counts, AT_WORK) > 0 && t.abort.atWork(sum(counts, AT_WORK)),
    (counts.SUCCESS ?? 0) > 0 && t.abort.updated(counts.SUCCESS ?? 0, campaign.firmware_version),
  ].filter((part) => part !== false);
  const abort = () => control.mutate({ control: "abort", reason }, { onSettled: () => onOpenChange(false) });
  return (
    <AlertDialog
      open={open}
      onOpenChange={onOpenChange}
      title={t.abort.title}
      safe={safe}
      actions={
        <>
          <Button ref={safe} onClick={() => onOpenChange(false)}>
            {campaign.status === "RUNNING" ? t.abort.keep : t.abort.keepOther}
          </Button>
          <Button kind="danger" disabled={control.isPending} onClick={abort}>
            {t.abort.go(waiting)}
          </Button>
        </>
      }
    >
      {parts.map(([who, what]) => (
        <p key={what}>
          <strong className="font-semibold text-ink">{who}</strong> {what}
        </p>
      ))}
      <p className="text-ink-3">{t.abort.final}</p>
      <div className="pt-2 text-ink">
        <ReasonField value={reason} onChange={setReason} />
      </div>
    </AlertDialog>
  );
}

function DeleteDialog({ campaign, open, onOpenChange }: DialogProps) {
  const safe = useRef<HTMLButtonElement>(null);
  const remove = useDeleteCampaign();
  const navigate = useNavigate();
  return (
    <AlertDialog
      open={open}
      onOpenChange={onOpenChange}
      title={t.deleteCampaign.title}
      safe={safe}
      actions={
        <>
          <Button ref={safe} onClick={() => onOpenChange(false)}>
            {t.deleteCampaign.keep}
          </Button>
          <Button kind="danger" disabled={remove.isPending} onClick={() => remove.mutate(campaign.id, { onSuccess: () => void navigate("/ota/campaigns") })}>
            {t.deleteCampaign.go}
          </Button>
        </>
      }
    >
      <p>{t.deleteCampaign.says}</p>
    </AlertDialog>
  );
}
