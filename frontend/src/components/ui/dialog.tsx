/** Dialogs that ask, dialogs that hold a form, and sheets at the side; focus goes in, and returns to where it was. */
import { AlertDialog as Ask } from "@base-ui/react/alert-dialog";
import { Dialog as Base } from "@base-ui/react/dialog";
import { X } from "lucide-react";
import type { ReactNode, RefObject } from "react";
import { cn } from "@/lib/cn";
import { t } from "@/lib/texts.en";

const BACKDROP = "fixed inset-0 z-40 bg-overlay transition-opacity duration-150 data-[ending-style]:opacity-0 data-[starting-style]:opacity-0";
const POPUP = "fixed z-50 border border-line bg-raised text-ink shadow-raised outline-none transition duration-150";
const CENTRED =
  "top-1/2 left-1/2 max-h-[calc(100dvh-2rem)] w-[calc(100vw-2rem)] -translate-x-1/2 -translate-y-1/2 overflow-y-auto rounded-xl p-6 data-[ending-style]:scale-98 data-[ending-style]:opacity-0 data-[starting-style]:scale-98 data-[starting-style]:opacity-0";

interface Open {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}

/** A question whose answer changes something for good; `safe` gets the focus. */
export function AlertDialog({ open, onOpenChange, title, children, safe, actions }: Open & { title: string; children: ReactNode; safe: RefObject<HTMLElement | null>; actions: ReactNode }) {
  return (
    <Ask.Root open={open} onOpenChange={onOpenChange}>
      <Ask.Portal>
        <Ask.Backdrop className={BACKDROP} />
        <Ask.Popup initialFocus={safe} className={cn(POPUP, CENTRED, "max-w-120")}>
          <Ask.Title className="text-base font-semibold">{title}</Ask.Title>
          <Ask.Description render={<div />} className="mt-3 space-y-2.5 text-[13px] text-ink-2">
            {children}
          </Ask.Description>
          <div className="mt-5 flex flex-wrap justify-end gap-2">{actions}</div>
        </Ask.Popup>
      </Ask.Portal>
    </Ask.Root>
  );
}

export function Dialog({ open, onOpenChange, title, hint, children, wide }: Open & { title: string; hint?: ReactNode; children: ReactNode; wide?: boolean }) {
  return (
    <Base.Root open={open} onOpenChange={onOpenChange}>
      <Base.Portal>
        <Base.Backdrop className={BACKDROP} />
        <Base.Popup className={cn(POPUP, CENTRED, wide ? "max-w-180" : "max-w-120")}>
          <div className="flex items-start justify-between gap-4">
            <div>
              <Base.Title className="text-base font-semibold">{title}</Base.Title>
              {hint && <Base.Description className="mt-1 text-[13px] text-ink-2">{hint}</Base.Description>}
            </div>
            <Close />
          </div>
          <div className="mt-4">{children}</div>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

/** Details of one thing, at the right; the page behind stays. */
export function Sheet({ open, onOpenChange, title, mono, hint, children }: Open & { title: string; mono?: boolean; hint?: ReactNode; children: ReactNode }) {
  return (
    <Base.Root open={open} onOpenChange={onOpenChange}>
      <Base.Portal>
        <Base.Backdrop className={BACKDROP} />
        <Base.Popup
          className={cn(
            POPUP,
            "inset-y-0 right-0 flex w-full max-w-115 flex-col border-y-0 border-r-0 data-[ending-style]:translate-x-4 data-[ending-style]:opacity-0 data-[starting-style]:translate-x-4 data-[starting-style]:opacity-0",
          )}
        >
          <div className="flex items-start justify-between gap-4 border-b border-line px-5 py-4">
            <div className="min-w-0">
              <Base.Title className={cn("truncate text-base font-semibold", mono && "font-mono font-medium")}>{title}</Base.Title>
              {hint && <Base.Description render={<div />} className="mt-1 text-[13px] text-ink-3">{hint}</Base.Description>}
            </div>
            <Close />
          </div>
          {/* The content scrolls, so the keyboard must be able to reach it. */}
          <section aria-label={title} tabIndex={0} className="min-h-0 flex-1 overflow-y-auto px-5 py-4 -outline-offset-2">
            {children}
          </section>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

function Close() {
  return (
    <Base.Close aria-label={t.close} className="-m-1.5 grid size-8 shrink-0 place-items-center rounded-lg text-ink-3 transition-colors hover:bg-neutral-tint hover:text-ink">
      <X aria-hidden className="size-4" />
    </Base.Close>
  );
}
