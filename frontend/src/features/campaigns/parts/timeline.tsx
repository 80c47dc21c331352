/** What happened to the campaign, newest first. */
import type { Campaign, TimelineEntry } from "@/api/types";
import { Card, CardHead } from "@/components/ui/card";
import { aMinute, devices, exactly, grouped, moment } from "@/lib/format";
import { t } from "@/lib/texts.en";
import { useTimeline } from "../queries";

export function TimelineCard({ campaign }: { campaign: Campaign }) {
  const { data } = useTimeline(campaign);
  if (!data) return null;
  return (
    <Card className="p-4 sm:p-5">
      <CardHead title={t.timeline.title} />
      <ol className="mt-4 space-y-3 border-l border-line pl-4 text-[13px]">
        {data.toReversed().map((entry) => (
          <li key={`${entry.at}${entry.event}`} className="relative">
            <span aria-hidden className="absolute top-1.5 -left-[1.2rem] size-1.75 rounded-full bg-ink-3" />
            <div className="flex justify-between gap-4">
              <span className="font-medium">{isEarly(entry) ? t.timeline.openedEarly : t.timeline.event(entry.event)}</span>
              <time dateTime={entry.at} title={exactly(entry.at)} className="text-ink-3">
                {moment(entry.at)}
              </time>
            </div>
            <p className="text-xs text-ink-3">{[about(entry, campaign), entry.by ? t.timeline.by(entry.by) : t.timeline.system, entry.event === "rate_changed" && entry.reason ? grouped(entry.reason) : entry.reason].filter(Boolean).join(" · ")}</p>
          </li>
        ))}
      </ol>
    </Card>
  );
}

function about({ event, detail }: TimelineEntry, campaign: Campaign): string {
  const stage = typeof detail.stage === "number" ? t.stageName(campaign.stages[detail.stage]?.name ?? "") : undefined;
  const rate = typeof detail.rate_per_minute === "number" ? aMinute(detail.rate_per_minute) : undefined;
  const device = typeof detail.device_id === "string" ? detail.device_id : undefined;
  const taken = event === "taken_in" && typeof detail.devices === "number" ? devices(detail.devices) : undefined;
  const early = isEarly({ detail }) ? t.stages.missing(Number(detail.succeeded), Number(detail.needed)) : undefined;
  return [stage, rate, device, taken, early].filter(Boolean).join(", ");
}

/** An approver has opened a gate that had not been reached; the numbers are those of that moment. */
const isEarly = ({ detail }: Pick<TimelineEntry, "detail">) => detail.gate === "RUNNING";
