/** States as icon and word, never as colour alone. */
import { Ban, CheckCheck, CircleDot, Pause, PencilLine, Undo2, type LucideIcon } from "lucide-react";
import type { Campaign, CampaignStatus } from "@/api/types";
import { cn } from "@/lib/cn";
import { LOOK, TINT, type Status, type Tone } from "@/lib/status";
import { t } from "@/lib/texts.en";

export function Chip({ tone, icon: Icon, children, className }: { tone: Tone; icon?: LucideIcon; children: React.ReactNode; className?: string }) {
  return (
    <span className={cn("inline-flex h-6 items-center gap-1.5 rounded-full px-2 text-xs font-medium whitespace-nowrap", TINT[tone], className)}>
      {Icon && <Icon aria-hidden className="size-3.5 shrink-0" />}
      {children}
    </span>
  );
}

export function DeviceState({ status }: { status: Status }) {
  const { word, icon, tone } = LOOK[status];
  return (
    <Chip tone={tone} icon={icon}>
      {word}
    </Chip>
  );
}

export function StateIcon({ status }: { status: Status }) {
  const { icon: Icon, tone } = LOOK[status];
  return (
    <span className={cn("grid size-4.5 place-items-center rounded-[5px]", TINT[tone])}>
      <Icon aria-hidden className="size-3" />
    </span>
  );
}

const CAMPAIGN: Record<CampaignStatus, { tone: Tone; icon: LucideIcon }> = {
  CREATED: { tone: "neutral", icon: PencilLine },
  RUNNING: { tone: "flight", icon: CircleDot },
  PAUSED: { tone: "neutral", icon: Pause },
  COMPLETED: { tone: "success", icon: CheckCheck },
  ABORTED: { tone: "failed", icon: Ban },
};

export function CampaignState({ status }: { status: CampaignStatus }) {
  const { tone, icon } = CAMPAIGN[status];
  return (
    <Chip tone={tone} icon={icon}>
      {t.campaignStatus[status]}
    </Chip>
  );
}

/** `withdrawn`: by whom, when and why, for a version that is. */
export function Version({ children, withdrawn }: { children: string | null | undefined; withdrawn?: Campaign["firmware_withdrawal"] }) {
  if (!children) return <span className="text-ink-3">–</span>;
  return (
    <>
      <span className="rounded-md bg-neutral-tint px-1.5 py-0.5 font-mono text-xs text-ink">{children}</span>
      {withdrawn && <span title={t.verdict.withdrawn(children, withdrawn).trim()} className="inline-flex items-center gap-1 text-xs text-failed-text"><Undo2 aria-hidden className="size-3.5" />{t.firmware.withdrawn}</span>}
    </>
  );
}
