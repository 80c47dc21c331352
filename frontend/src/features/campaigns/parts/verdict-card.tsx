/** First a sentence, then a picture, then numbers. */
import { CircleAlert, CircleCheck, CirclePause, TriangleAlert, type LucideIcon } from "lucide-react";
import { Card } from "@/components/ui/card";
import { StateIcon } from "@/components/ui/chips";
import { StateBar } from "@/components/ui/state-bar";
import type { Campaign } from "@/api/types";
import { cn } from "@/lib/cn";
import { count, devices, share } from "@/lib/format";
import { finished, LOOK, meant, ORDER } from "@/lib/status";
import { t } from "@/lib/texts.en";
import { verdict, type Mood } from "../verdict";

export const MOOD: Record<Mood, { icon: LucideIcon; color: string }> = {
  well: { icon: CircleCheck, color: "text-success-text" },
  warn: { icon: TriangleAlert, color: "text-failed-text" },
  bad: { icon: CircleAlert, color: "text-failed-text" },
  calm: { icon: CirclePause, color: "text-flight-text" },
};

export function VerdictCard({ campaign, now, children }: { campaign: Campaign; now: number; children?: React.ReactNode }) {
  const { mood, title, says } = verdict(campaign, now);
  const { icon: Icon, color } = MOOD[mood];
  const counts = campaign.status_breakdown;
  const all = meant(campaign, counts);
  const skipped = counts.SKIPPED ?? 0;
  const done = finished(counts);
  const [number, sign] = share(all === 0 ? 1 : done / all).split(" ");
  const shown = ORDER.filter((status) => status !== "SKIPPED" && (status !== "QUEUED" || counts.QUEUED));
  return (
    <Card className="p-4 sm:p-5">
      <div className="flex flex-wrap items-start justify-between gap-x-8 gap-y-3">
        <div className="flex min-w-0 flex-1 basis-72 gap-3">
          <Icon aria-hidden className={cn("mt-0.5 size-6 shrink-0", color)} />
          <div className="min-w-0">
            <h2 className="text-lg leading-7 font-semibold">{title}</h2>
            <p className="text-[13px] text-ink-2">{says}</p>
          </div>
        </div>
        <p className="flex items-baseline gap-2.5 self-end text-[13px] text-ink-2">
          <span className="text-ink">
            <span className="text-[34px] leading-10 font-semibold tracking-tight">{number}</span>
            <span className="ml-0.5 text-lg text-ink-2">{sign}</span>
          </span>
          {t.verdict.finishedOf(done, all)}
        </p>
      </div>
      <StateBar counts={counts} total={all} className="mt-4" />
      <dl className="mt-4 grid grid-cols-3 gap-x-4 gap-y-4 sm:grid-cols-[repeat(auto-fit,minmax(7rem,1fr))]">
        {shown.map((status) => (
          <div key={status}>
            <dt className="flex items-center gap-1.5 text-xs text-ink-2">
              <StateIcon status={status} />
              {LOOK[status].word}
            </dt>
            <dd className={cn("mt-1 text-[17px] font-semibold", status === "FAILED" && Boolean(counts.FAILED) && "text-failed-text")}>{count(counts[status] ?? 0)}</dd>
          </div>
        ))}
      </dl>
      {children}
      {skipped > 0 && (
        <p className="mt-4 flex items-center gap-2 border-t border-line pt-3 text-xs text-ink-2">
          <StateIcon status="SKIPPED" />
          {t.campaign.skippedAfter(skipped)} <span className="text-ink-3">({devices(campaign.total_devices)} in all)</span>
        </p>
      )}
    </Card>
  );
}
