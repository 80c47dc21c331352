/** A page's other faces: loading, empty, refused. */
import { CircleAlert, RotateCw, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { asRefusal } from "@/api/problem";
import { cn } from "@/lib/cn";
import { t } from "@/lib/texts.en";
import { Button } from "./button";
import { Copy } from "./copy";

export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={cn("animate-pulse rounded-lg bg-neutral-tint", className)} />;
}

export function Loading({ children }: { children: ReactNode }) {
  return (
    <div role="status" aria-label={t.loading} className="space-y-5">
      {children}
    </div>
  );
}

export function Empty({ icon: Icon, title, children, action }: { icon: LucideIcon; title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="flex flex-col items-center px-6 py-14 text-center">
      <span className="mb-4 grid size-11 place-items-center rounded-xl bg-neutral-tint text-ink-2">
        <Icon aria-hidden className="size-5" />
      </span>
      <p className="text-sm font-semibold">{title}</p>
      {children && <p className="mt-1 max-w-100 text-[13px] text-ink-3">{children}</p>}
      {action && <div className="mt-5">{action}</div>}
    </div>
  );
}

export function Failure({ error, retry, children }: { error: unknown; retry?: () => void; children?: ReactNode }) {
  const refusal = asRefusal(error);
  return (
    <div role="alert" className="flex flex-col items-center px-6 py-14 text-center">
      <span className="mb-4 grid size-11 place-items-center rounded-xl bg-failed-tint text-failed-text">
        <CircleAlert aria-hidden className="size-5" />
      </span>
      <p className="text-sm font-semibold">{refusal.title}</p>
      <p className="mt-1 max-w-120 text-[13px] text-ink-2">{refusal.detail}</p>
      {refusal.requestId && (
        <p className="mt-2 flex items-center gap-1 text-xs text-ink-3">
          {t.requestId} <span className="font-mono">{refusal.requestId}</span> <Copy value={refusal.requestId} label={t.copyRequestId} />
        </p>
      )}
      {retry && (
        <Button className="mt-5" onClick={retry}>
          <RotateCw aria-hidden /> {t.tryAgain}
        </Button>
      )}
      {children}
    </div>
  );
}
