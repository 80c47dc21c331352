/** How fresh what one sees is: a dot and a word, and a banner when the connection is gone for longer. */
import { CloudOff } from "lucide-react";
import { cn } from "@/lib/cn";
import type { Connection } from "@/lib/live/stream";
import { t } from "@/lib/texts.en";

export function LiveBadge({ connection }: { connection: Connection }) {
  if (connection.state === "gone") return null;
  const lost = connection.state === "lost";
  const word = lost ? t.live.lost(connection.since) : connection.state === "live" ? t.live.live : t.live.connecting;
  return (
    <span role="status" className={cn("flex shrink-0 items-center gap-2 text-xs font-medium", lost ? "text-failed-text" : "text-ink-2")}>
      <span aria-hidden className={cn("size-2 rounded-full", lost ? "bg-failed" : connection.state === "live" ? "animate-breathe bg-success" : "bg-skipped")} />
      <span className={lost ? "max-sm:sr-only" : undefined}>{word}</span>
    </span>
  );
}

export function LostBanner({ connection }: { connection: Connection }) {
  if (connection.state !== "lost") return null;
  return (
    <p className="mb-5 flex items-center gap-2.5 rounded-xl bg-failed-tint px-4 py-3 text-[13px] text-failed-text">
      <CloudOff aria-hidden className="size-4 shrink-0" />
      {t.live.banner(connection.since)}
    </p>
  );
}
