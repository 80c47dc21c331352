/** The eight states of a device: word, icon, colours and order, the same everywhere. */
import { ArrowDownToLine, Check, CircleDashed, Clock, Cpu, Minus, Send, X, type LucideIcon } from "lucide-react";
import type { components } from "@/api/campaign";

export type Status = components["schemas"]["Status"];
export type Tone = "success" | "failed" | "flight" | "neutral";

interface Look {
  word: string;
  icon: LucideIcon;
  tone: Tone;
  /** A CSS colour for bars and areas. */
  color: string;
}

export const LOOK: Record<Status, Look> = {
  SUCCESS: { word: "Updated", icon: Check, tone: "success", color: "var(--success)" },
  FAILED: { word: "Failed", icon: X, tone: "failed", color: "var(--failed)" },
  INSTALLING: { word: "Installing", icon: Cpu, tone: "flight", color: "var(--installing)" },
  DOWNLOADING: { word: "Downloading", icon: ArrowDownToLine, tone: "flight", color: "var(--downloading)" },
  DISPATCHED: { word: "Sent", icon: Send, tone: "flight", color: "var(--sent)" },
  QUEUED: { word: "Queued", icon: Clock, tone: "flight", color: "var(--sent)" },
  PENDING: { word: "Waiting", icon: CircleDashed, tone: "neutral", color: "var(--waiting)" },
  SKIPPED: { word: "Skipped", icon: Minus, tone: "neutral", color: "var(--skipped)" },
};

/** As counts are shown. */
export const ORDER: Status[] = ["SUCCESS", "FAILED", "INSTALLING", "DOWNLOADING", "DISPATCHED", "QUEUED", "PENDING", "SKIPPED"];
/** Worst first, as rows are shown. */
export const WORST_FIRST: Status[] = ["FAILED", "INSTALLING", "DOWNLOADING", "DISPATCHED", "QUEUED", "PENDING", "SUCCESS", "SKIPPED"];
export const AT_WORK: Status[] = ["QUEUED", "DISPATCHED", "DOWNLOADING", "INSTALLING"];

export type Counts = Partial<Record<Status, number>>;

export const sum = (counts: Counts, of: Status[] = ORDER) => of.reduce((total, status) => total + (counts[status] ?? 0), 0);
/** Devices that can be updated: all but the skipped. */
export const updatable = (counts: Counts) => sum(counts) - (counts.SKIPPED ?? 0);
/** The devices that a campaign, or a stage of it, was for: those that an abort has skipped were among them. */
export const meant = (campaign: { status: string }, counts: Counts) => (campaign.status === "ABORTED" ? sum(counts) : updatable(counts));
export const finished = (counts: Counts) => (counts.SUCCESS ?? 0) + (counts.FAILED ?? 0);

export const TINT: Record<Tone, string> = {
  success: "bg-success-tint text-success-text",
  failed: "bg-failed-tint text-failed-text",
  flight: "bg-flight-tint text-flight-text",
  neutral: "bg-neutral-tint text-neutral-text",
};
