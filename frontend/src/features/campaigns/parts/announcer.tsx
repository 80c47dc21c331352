/** For screen readers: one line on how the campaign does, at most every 10 s. */
import { useEffect, useRef, useState } from "react";
import type { Campaign } from "@/api/types";
import type { Connection } from "@/lib/live/stream";
import { finished, meant } from "@/lib/status";
import { t } from "@/lib/texts.en";
import { verdict } from "../verdict";

const EVERY_MS = 10_000;

export function Announcer({ campaign, connection }: { campaign: Campaign; connection: Connection }) {
  const [line, setLine] = useState("");
  const latest = useRef("");
  useEffect(() => {
    const { title } = verdict(campaign, Date.now());
    latest.current = connection.state === "lost" ? t.live.banner(connection.since) : `${title}. ${t.verdict.finishedOf(finished(campaign.status_breakdown), meant(campaign, campaign.status_breakdown))}`;
  }, [campaign, connection]);
  useEffect(() => {
    const timer = setInterval(() => setLine(latest.current), EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <p aria-live="polite" className="sr-only">
      {line}
    </p>
  );
}
